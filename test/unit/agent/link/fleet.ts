/** A broker and an orchestrator's end of it, for tests of the agent's link. */
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Aedes } from "aedes";
import type { Client } from "aedes";
import { connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import type { HoldingsSource } from "../../../../agent/link/link.ts";
import { QueryClaims } from "../../../../protocol/signing/claims.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import { ArchivedHostsMessage } from "../../../../protocol/wire/archived_hosts.ts";
import { open, seal } from "../../../../protocol/wire/envelope.ts";
import { DayHoldings, HostHoldings } from "../../../../protocol/wire/holdings.ts";
import { Presence, QueryAck, ResultMessage } from "../../../../protocol/wire/messages.ts";
import {
  newOperatorKey,
  readOperatorKey,
  signClaims,
} from "../../../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../../../protocol/signing/signature.ts";
import { parseTopic } from "../../../../protocol/wire/topics.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { eventually } from "../../../harness/eventually.ts";
import { accessTables } from "../../../harness/tables.ts";

/** Starts a broker on a port of loopback; 0 is any free one. */
export async function startBroker(port = 0) {
  const broker = await Aedes.createBroker();
  const arrivals: string[] = [];
  const clients = new Map<string, Client>();
  broker.on("clientReady", (client) => {
    arrivals.push(client.id);
    clients.set(client.id, client);
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    broker.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo; // a TCP server has no other kind
  return {
    port: address.port,
    url: `mqtt://127.0.0.1:${address.port}`,
    /** Client ids, one for every connection that was made. */
    arrivals,
    /** Breaks every connection, as the death of the other machine does. */
    breakConnections() {
      for (const socket of sockets) socket.destroy();
    },
    /** Breaks one of them; the broker then publishes its last will. */
    breakConnection(id: string) {
      clients.get(id)?.conn.destroy();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      this.breakConnections();
      await closed;
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

/** Of a host's presence. */
export const STATS = {
  lines_per_s: 1,
  behind_bytes: 2,
  behind_ms: 3,
  rejects: 4,
  stored_bytes: 5,
  open_rows: 6,
  open_bytes: 7,
  archive: null,
};

/** Holdings of one chunk, that never change. */
export function fixedHoldings(): HoldingsSource {
  const [day, digest] = ["2026-11-21", "d1"];
  const open_from = "2026-11-22T18:00:00.000Z";
  return {
    statement: () => ({ version: "v1", open_from, own_rows: true, days: { [day]: digest } }),
    day: () => ({ day, digest, chunks: { logs: [["00000000000000aa", 1, 2, 3, 4]] }, marks: [] }),
    watch: () => {},
  };
}

export const ORCHESTRATOR = "test-orchestrator";

/** Sees everything that agents send, and sends them commands. */
export class Orchestrator implements AsyncDisposable {
  readonly acks: QueryAck[] = [];
  readonly results: ResultMessage[] = [];
  readonly presences: Presence[] = [];
  readonly holdings: HostHoldings[] = [];
  readonly days: DayHoldings[] = [];
  readonly archived: ArchivedHostsMessage[] = [];
  readonly messageBytes: number[] = [];
  /** Acknowledge results as they come. */
  acknowledging = true;

  private constructor(
    private readonly client: MqttClient,
    private readonly host: string,
    readonly key: OperatorKey,
  ) {}

  static async connect(url: string, host: string): Promise<Orchestrator> {
    const client = await connectAsync(url);
    const key = await readOperatorKey((await newOperatorKey()).pem);
    const orchestrator = new Orchestrator(client, host, key);
    noDelay(client);
    client.on("connect", () => noDelay(client));
    client.on("message", (topic, payload) => orchestrator.take(topic, payload));
    await client.subscribeAsync("logvend/#", { qos: 1 });
    return orchestrator;
  }

  private take(topic: string, payload: Uint8Array) {
    const received = parseTopic("logvend", topic);
    if (received === null) return;
    const { body } = open(payload);
    if (received.kind === "ack") this.acks.push(QueryAck.parse(body));
    else if (received.kind === "state") this.presences.push(Presence.parse(body));
    else if (received.kind === "holdings") this.holdings.push(HostHoldings.parse(body));
    else if (received.kind === "archived") this.archived.push(ArchivedHostsMessage.parse(body));
    else if (received.kind === "day") this.days.push(DayHoldings.parse(body));
    else if (received.kind === "result") {
      const message = ResultMessage.parse(body);
      this.results.push(message);
      this.messageBytes.push(payload.length);
      if (this.acknowledging) this.acknowledge(message);
    }
  }

  acknowledge({ request, seq }: { request: string; seq: number }) {
    this.command("result_ack", { request, seq });
  }

  command(type: string, body: unknown) {
    this.raw(seal({ type, body, issuedAtMs: Date.now() }));
  }

  raw(payload: Uint8Array) {
    this.client.publish(`logvend/a/${this.host}/cmd`, Buffer.from(payload), { qos: 1 });
  }

  /** Claims for an SQL text that are in order, but for what is given. */
  claims(sql: string, different: Partial<QueryClaims> = {}): QueryClaims {
    const nowMs = Date.now();
    return {
      kind: "query",
      id: crypto.randomUUID(),
      sql_sha256: sha256Hex(sql),
      selector: "",
      range: { since: null, until: null, implied: false },
      now: new Date(nowMs).toISOString(),
      limits: { timeout_ms: 30_000, rows_max: 100_000, bytes_max: 64e6 },
      issued_at_ms: nowMs,
      expires_at_ms: nowMs + 60_000,
      ...different,
    };
  }

  /** Sends a query, or that it is to be explained; returns its body, to send it again. */
  async ask(sql: string, different: Asked = {}) {
    const { key = this.key, sent = {}, type = "query", ...claimed } = different;
    const claims = this.claims(sql, claimed);
    const body = {
      request: claims.id,
      orchestrator: ORCHESTRATOR,
      sql,
      tables: accessTables("logs"),
      token: await signClaims(claims, key),
      plan_version: PLAN_VERSION,
      ...sent,
    };
    this.command(type, body);
    return body;
  }

  ack(request: string): Promise<QueryAck> {
    return eventually(() => this.acks.find((ack) => ack.request === request));
  }

  /** All messages of an answer, when its last has come. */
  async answer(request: string): Promise<ResultMessage[]> {
    const ours = () => this.results.filter((result) => result.request === request);
    await eventually(() => ours().some(({ end }) => end !== undefined));
    return ours();
  }

  async [Symbol.asyncDispose]() {
    await this.client.endAsync(true);
  }
}

/** What to do otherwise than a good orchestrator: sign with another key, send other fields. */
export type Asked = Partial<QueryClaims> & {
  key?: OperatorKey;
  type?: "query" | "explain";
  sent?: Partial<
    {
      request: string;
      sql: string;
      token: string;
      plan_version: number;
      broadcast: string;
      archive: unknown;
    }
  >;
};

function noDelay({ stream }: MqttClient) {
  if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
}
