/**
 * The other side of the wire: an agent that runs real partial SQL over given rows, and answers,
 * or misbehaves, as a test says.
 */
import { connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import { open, parseBody, seal } from "../../../protocol/wire/envelope.ts";
import { HoldingsCommand } from "../../../protocol/wire/holdings.ts";
import type { DayHoldings, HostHoldings } from "../../../protocol/wire/holdings.ts";
import {
  CancelCommand,
  EraseCommand,
  ExplainCommand,
  QueryCommand,
  ResultAckCommand,
  TailCommand,
} from "../../../protocol/wire/messages.ts";
import type {
  HostCoverage,
  HostErasure,
  HostTables,
  Presence,
  QueryAck,
  ResultEnd,
  ResultMessage,
  ResultPart,
  Table,
  TailMessage,
} from "../../../protocol/wire/messages.ts";
import { agentTopics } from "../../../protocol/wire/topics.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { PLAN_VERSIONS } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { exportTable } from "../../../queries/transfer/export.ts";
import { TempFolder } from "../../harness/temp_folder.ts";

/** What a script has in its hands when a query comes. */
export interface Incoming {
  command: QueryCommand;
  ack(ack?: Partial<QueryAck>): void;
  send(message: Omit<ResultMessage, "request">): void;
  /** This host's real answer: parts, and the end that goes with them. */
  compute(options?: { textBytesMax?: number }): Promise<{ parts: ResultPart[]; end: ResultEnd }>;
  /** The connection breaks: the broker publishes the last will. */
  die(): void;
  /** Resolves with the next `result_ack`. */
  acknowledged(): Promise<ResultAckCommand>;
}

/** What a script has in its hands when somebody wants to tail. */
export interface IncomingTail {
  command: TailCommand;
  /** Nothing left out, unless it is given. */
  send(message: Pick<TailMessage, "seq"> & Partial<TailMessage>): void;
  /** The connection breaks: the broker publishes the last will. */
  die(): void;
}

export type Script = (incoming: Incoming) => void | Promise<void>;

/** Acknowledges, runs, answers: a good agent. */
export const answering: Script = async ({ ack, compute, send }) => {
  ack();
  send({ seq: 0, ...await compute() });
};

/** Answers with as many messages as it has parts, each when the one before was acknowledged. */
export const inSlices: Script = async ({ ack, compute, send, acknowledged }) => {
  ack();
  const { parts, end } = await compute();
  for (const [seq, part] of parts.entries()) {
    const next = acknowledged();
    send({ seq, parts: [part] });
    await next;
  }
  send({ seq: parts.length, parts: [], end });
};

export const silent: Script = () => {};

export interface ScriptedAgentOptions {
  brokerUrl: string;
  host: string;
  region?: string;
  labels?: Record<string, string>;
  /** SELECT that stands for this host's log files; columns of `logs`. */
  logs?: string;
  /** What it says of its tables, as agents do that have more than access logs. */
  tables?: Table[];
  plan: (command: QueryCommand) => Promise<Plan>;
  script?: Script;
  /** What it does when it is asked whether it would run a query; with it, it says that it can. */
  explain?: Script;
  /** What it says that it holds; its presence names that version. */
  holdings?: { said: HostHoldings; days?: DayHoldings[] };
  /** What it does with a tail; with it, it says that it can. */
  tail?: (tail: IncomingTail) => void;
  /** What it says of an erasure; with it, it says that it knows them. */
  erase?: (command: EraseCommand) => Omit<HostErasure, "id">;
  coverage?: Partial<HostCoverage>;
  presence?: Partial<Presence>;
}

const SLICE_BYTES = 1_024;

/** Most say but once that they are there: longer than any test takes, on a machine with much to do. */
const LEASE_MS = 3_600_000;

/** Those that hold something: the orchestrator believes in it for 7.5 s. */
const HEARTBEAT_MS = 1_000;

/** With the one life that it has: who says another one has lost what it was at. */
interface Living extends ScriptedAgentOptions {
  presence: Partial<Presence> & Pick<Presence, "boot">;
}

export class ScriptedAgent implements AsyncDisposable {
  readonly cancelled: string[] = [];
  readonly acknowledgements: ResultAckCommand[] = [];
  readonly failures: unknown[] = [];
  private wake: (ack: ResultAckCommand) => void = () => {};

  /** What it holds is believed for as long as it is heard. */
  private heartbeat: ReturnType<typeof setInterval> | undefined;

  private constructor(
    private readonly options: Living,
    private readonly client: MqttClient,
  ) {}

  static async start(given: ScriptedAgentOptions): Promise<ScriptedAgent> {
    const options = { ...given, presence: { boot: crypto.randomUUID(), ...given.presence } };
    const topics = agentTopics("logvend", options.host);
    const client = await connectAsync(options.brokerUrl, {
      reconnectPeriod: 0,
      will: {
        topic: topics.state,
        payload: Buffer.from(presenceOf(options, "offline")),
        qos: 1,
        retain: true,
      },
    });
    const agent = new ScriptedAgent(options, client);
    client.on("message", (_topic, payload) => {
      agent.receive(payload).catch((error) => agent.failures.push(error));
    });
    await client.subscribeAsync(topics.command, { qos: 1 });
    if (options.tables !== undefined) {
      const body: HostTables = { tables: options.tables };
      const said = Buffer.from(seal({ type: "tables", body, issuedAtMs: Date.now() }));
      await client.publishAsync(topics.tables, said, { qos: 1, retain: true });
    }
    if (options.holdings !== undefined) {
      const body = options.holdings.said;
      const said = Buffer.from(seal({ type: "holdings", body, issuedAtMs: Date.now() }));
      await client.publishAsync(topics.holdings, said, { qos: 1, retain: true });
    }
    const holdings = options.holdings?.said.version;
    const sayOnline = async () => {
      const online = Buffer.from(presenceOf(options, "online", holdings));
      await client.publishAsync(topics.state, online, { qos: 1, retain: true });
    };
    await sayOnline();
    if (holdings !== undefined) agent.heartbeat = setInterval(sayOnline, HEARTBEAT_MS);
    return agent;
  }

  private async receive(payload: Uint8Array) {
    const { type, body } = open(payload);
    if (type === "cancel") this.cancelled.push(parseBody(CancelCommand, body, "cancel").request);
    if (type === "result_ack") {
      const ack = parseBody(ResultAckCommand, body, "result_ack");
      this.acknowledgements.push(ack);
      this.wake(ack);
    }
    if (type === "holdings") this.sayDays(parseBody(HoldingsCommand, body, "holdings"));
    if (type === "erase") this.erase(parseBody(EraseCommand, body, "erase"));
    if (type === "tail") this.tail(parseBody(TailCommand, body, "tail"));
    if (type === "explain") {
      await this.options.explain?.(this.incoming(parseBody(ExplainCommand, body, "explain")));
    }
    if (type !== "query") return;
    const command = parseBody(QueryCommand, body, "query");
    await (this.options.script ?? answering)(this.incoming(command));
  }

  private erase(command: EraseCommand) {
    const { id, orchestrator } = command;
    const said = this.options.erase?.(command);
    if (said === undefined) return;
    const payload = seal({ type: "erased", body: { id, ...said }, issuedAtMs: Date.now() });
    const topic = agentTopics("logvend", this.options.host).erased(orchestrator);
    this.client.publish(topic, Buffer.from(payload), { qos: 1 });
  }

  private sayDays({ orchestrator, days }: HoldingsCommand) {
    const topic = agentTopics("logvend", this.options.host).day(orchestrator);
    for (const body of this.options.holdings?.days ?? []) {
      if (!days.includes(body.day)) continue;
      const payload = seal({ type: "day", body, issuedAtMs: Date.now() });
      this.client.publish(topic, Buffer.from(payload), { qos: 1 });
    }
  }

  /** Leaves as agents do that end: what it holds stays as it is. */
  async leave(): Promise<void> {
    const topics = agentTopics("logvend", this.options.host);
    const body = presenceOf(this.options, "offline", this.options.holdings?.said.version);
    clearInterval(this.heartbeat);
    await this.client.publishAsync(topics.state, Buffer.from(body), { qos: 1, retain: true });
    await this.client.endAsync();
  }

  private tail(command: TailCommand) {
    const { request, orchestrator } = command;
    const topic = agentTopics("logvend", this.options.host).tail(orchestrator, request);
    this.options.tail?.({
      command,
      send: (message) => {
        const body = { request, lines: [], left_out: 0, unchecked: 0, ...message };
        const payload = seal({ type: "tail", body, issuedAtMs: Date.now() });
        this.client.publish(topic, Buffer.from(payload), { qos: 1 });
      },
      die: () => this.client.stream.destroy(),
    });
  }

  private incoming(command: QueryCommand): Incoming {
    const { request } = command;
    const topics = agentTopics("logvend", this.options.host);
    const publish = (topic: string, type: string, body: unknown) => {
      const payload = seal({ type, body, issuedAtMs: Date.now() });
      this.client.publish(topic, Buffer.from(payload), { qos: 1 });
    };
    return {
      command,
      ack: (ack) => publish(topics.ack, "ack", { request, accepted: true, ...ack }),
      send: (message) =>
        publish(topics.result(command.orchestrator, request), "result", { request, ...message }),
      compute: (options) => this.compute(command, options),
      die: () => this.client.stream.destroy(),
      acknowledged: () => new Promise((resolve) => this.wake = resolve),
    };
  }

  private async compute(command: QueryCommand, { textBytesMax }: { textBytesMax?: number } = {}) {
    const plan = await this.options.plan(command);
    await using engine = await Engine.open();
    await using folder = await TempFolder.make();
    const logs = this.options.logs ?? "SELECT NULL::INTEGER AS status WHERE false";
    await engine.run(`CREATE SCHEMA host; CREATE TABLE host.logs AS ${logs}`);
    const parts: ResultPart[] = [];
    const rows: Record<string, number> = {};
    for (const { table, sql } of plan.partials) {
      await engine.run("SET search_path = 'host'");
      await engine.run(`CREATE TABLE memory.main."${table}" AS ${sql}`);
      await engine.run("SET search_path = 'main'");
      const exported = await exportTable(engine, table, {
        file: folder.join(`${table}.parquet`),
        ...(textBytesMax === undefined ? {} : { textBytesMax }),
      });
      rows[table] = exported.rows;
      if (exported.encoding === "text") {
        const { encoding, columns, values } = exported;
        parts.push({ table, encoding, columns, values });
      } else parts.push(...slices(table, await Deno.readFile(exported.file)));
    }
    const coverage = {
      chunks: 1,
      rows_scanned: 10,
      bytes_read: 1_000,
      rejects: 0,
      gaps: { count: 0, bytes: 0 },
      lost: { files: 0, rows: 0 },
      behind_bytes: 0,
      ...this.options.coverage,
    };
    return { parts, end: { ok: true as const, rows, coverage, sql_ms: 1, total_ms: 2 } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.heartbeat);
    await this.client.endAsync(true);
    if (this.failures.length > 0) throw this.failures[0];
  }
}

function slices(table: string, bytes: Uint8Array): ResultPart[] {
  const parts: ResultPart[] = [];
  for (let offset = 0; offset < bytes.length; offset += SLICE_BYTES) {
    const base64 = bytes.subarray(offset, offset + SLICE_BYTES).toBase64();
    parts.push({ table, encoding: "parquet", offset, base64 });
  }
  return parts;
}

function presenceOf(
  options: Living,
  state: Presence["state"],
  holdings?: string,
): Uint8Array {
  const body: Presence = {
    host: options.host,
    region: options.region ?? "eu-west-1",
    labels: options.labels ?? {},
    version: "0.1.0",
    plan_versions: [...PLAN_VERSIONS],
    commands: [
      ...(options.tail === undefined ? [] : ["tail"]),
      ...(options.explain === undefined ? [] : ["explain"]),
      ...(options.erase === undefined ? [] : ["erase"]),
    ],
    streams: ["logs"],
    state,
    lease_ms: LEASE_MS,
    ...(holdings === undefined ? {} : { holdings }),
    ...options.presence,
  };
  return seal({ type: "presence", body: { ...body, state }, issuedAtMs: Date.now() });
}
