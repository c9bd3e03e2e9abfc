/**
 * Tells hosts of erasures: those that are online at once, others when they come, again and again until
 * each has said that it is done. Who has not yet, whoever asks is told.
 */
import { getLogger } from "@logtape/logtape";
import { EraseClaims } from "../../protocol/signing/claims.ts";
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import { open, parseBody, seal } from "../../protocol/wire/envelope.ts";
import { concerns, erasureText, verifyErasure } from "../../protocol/signing/erasure.ts";
import type { EraseTrust, Erasure } from "../../protocol/signing/erasure.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { HostErasure } from "../../protocol/wire/messages.ts";
import type { EraseCommand } from "../../protocol/wire/messages.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import type { Authority } from "../access/authority.ts";
import type { ErasureStatus } from "../api/events.ts";
import type { ErasureTable } from "../state/erasures.ts";
import type { QueryTable } from "../state/queries.ts";
import { isNamed, queryIdOf } from "../fanout/query_id.ts";
import { labelsOf } from "./fleet.ts";
import type { Fleet, Host } from "./fleet.ts";

const log = getLogger(["orchestrator", "erasures"]);

/** So often hosts that work on one are asked how it goes; a lost message costs as long. */
const ASK_EVERY_MS = 3_000;
/** A host that has failed tries again by itself. */
const ASK_FAILED_EVERY_MS = 30_000;
/** Messages at once: brokers drop what they cannot deliver. */
const ASKED_AT_ONCE_MAX = 200;

export interface ErasuresParts {
  /** Of the keys that may erase. */
  authority: Authority;
  /** These keys, and the fleet that they have to sign for. */
  trusted: EraseTrust;
  table: ErasureTable;
  /** Those that were taken before, the oldest first. */
  before: readonly Erasure[];
  /** What was asked of the fleet is noted there too. */
  queries: QueryTable;
  /** Forgets rows that this orchestrator keeps. */
  forget: () => Promise<void>;
  fleet: Pick<Fleet, "list" | "get">;
  broker: Pick<BrokerConnection, "publishNow">;
  name: string;
  topicPrefix: string;
  now: () => number;
}

/** Those that were taken before, the oldest first. What a key has signed that may erase no more is left. */
export async function erasuresBefore(
  { table, trusted }: Pick<ErasuresParts, "table" | "trusted">,
): Promise<Erasure[]> {
  const before: Erasure[] = [];
  for (const record of table.load()) {
    try {
      before.push(await verifyErasure(record, trusted));
    } catch (error) {
      log.warning("Hosts are not told of an erasure: {reason}.", { reason: messageOf(error) });
    }
  }
  return before;
}

export class Erasures implements Disposable {
  private readonly known = new Map<string, Erasure>();
  /** When online hosts are asked next, by host and erasure; those that are done are not here. */
  private readonly next = new Map<string, Map<string, number>>();
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly parts: ErasuresParts) {
    for (const erasure of parts.before) this.known.set(erasure.id, erasure);
    this.timer = setInterval(() => this.askDue(), ASK_EVERY_MS / 3);
  }

  /**
   * Takes one that was signed just now. One that is known is taken again, however old, by who has done
   * with archives: what was read there meanwhile is forgotten too. @throws {LogvendError} not_permitted
   */
  async take(signed: { sql: string; token: string }): Promise<ErasureStatus> {
    const { authority, trusted, table, queries, forget, fleet, now } = this.parts;
    const record = { where: signed.sql, token: signed.token };
    const erasure = await verifyErasure(record, trusted).catch((error) => {
      throw new LogvendError("not_permitted", `The orchestrator refuses: ${messageOf(error)}`);
    });
    if (!this.known.has(erasure.id)) await authority.check(EraseClaims, signed);
    await forget();
    if (this.known.has(erasure.id)) return this.status(erasure.id);
    table.add(erasure.id, erasure.issued_at_ms, record);
    this.known.set(erasure.id, erasure);
    const { id, operator, selector, since, until } = erasure;
    log.warning("Erasure {id} of {operator}: {sql}.", { id, operator, sql: erasureText(erasure) });
    queries.save({
      ...{ query_id: queryIdOf(id), id, operator, sql: erasureText(erasure), selector },
      started_at: new Date(now()).toISOString(),
      state: "complete",
      mode: "erase",
      range: { since, until },
      ...{ elapsed_ms: null, rows_shipped: null, bytes_shipped: null },
      ...{ coverage: null, error: null },
    });
    for (const host of fleet.list()) if (host.state === "online") this.wait(host, erasure);
    this.askDue();
    return this.status(id);
  }

  /** A host is there again. One that has lost its data folder may have read the rows again. */
  hostCame(name: string): void {
    const host = this.parts.fleet.get(name);
    if (host === undefined) return;
    const all = [...this.known.values()];
    const done = all.filter(({ id }) => this.isDone(name, id)).length;
    const hasLost = (host.presence.stats?.erasures ?? done) < done;
    for (const erasure of all) this.wait(host, erasure, hasLost);
  }

  /** Takes a message of `a/{host}/erased/…`; a malformed one is dropped. */
  receive(host: string, payload: Uint8Array): void {
    try {
      const state = parseBody(HostErasure, open(payload).body, "state of an erasure");
      if (!this.known.has(state.id)) return;
      this.parts.table.heard(host, state, this.parts.now());
      const waits = this.next.get(host);
      if (state.state === "done" || state.state === "refused") waits?.delete(state.id);
      else if (state.state === "failed" && waits?.has(state.id)) {
        waits.set(state.id, this.parts.now() + ASK_FAILED_EVERY_MS);
      }
    } catch (error) {
      log.warning("Ignored the erasure of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** Every one, the newest first. */
  list(): ErasureStatus[] {
    return [...this.known.keys()].reverse().map((id) => this.status(id));
  }

  /** The one of an id, or of its beginning. @throws {LogvendError} usage */
  find(text: string): ErasureStatus {
    const [id, other] = [...this.known.keys()].filter((id) => isNamed(text, id));
    if (id === undefined) {
      throw new LogvendError(
        "usage",
        `There is no erasure ${text} (logvend archive erase --status lists them)`,
      );
    }
    if (other !== undefined) throw new LogvendError("usage", `${text}: write more of it`);
    return this.status(id);
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private status(id: string): ErasureStatus {
    const erasure = this.known.get(id);
    if (erasure === undefined) throw new Error(`no erasure ${id}`);
    const said = this.parts.table.hosts(id);
    const hosts = this.parts.fleet.list()
      .filter((host) => said.has(host.presence.host) || isExpected(host, erasure))
      .map(({ presence, state }) => {
        const heard = said.get(presence.host);
        const isOld = !presence.commands.includes("erase");
        return {
          host: presence.host,
          region: presence.region,
          online: state === "online",
          state: heard?.state.state ?? (isOld ? "too_old" : "waiting"),
          rows: heard?.state.rows ?? 0,
          chunks: heard?.state.chunks ?? 0,
          archived: heard?.state.archived ?? 0,
          reason: heard?.state.reason ?? null,
        } as const;
      });
    return {
      id,
      operator: erasure.operator,
      issued_at: new Date(erasure.issued_at_ms).toISOString(),
      sql: erasureText(erasure),
      selector: erasure.selector,
      record: erasure.record,
      hosts,
    };
  }

  private isDone(host: string, id: string): boolean {
    return this.parts.table.hosts(id).get(host)?.state.state === "done"; // a refusal may be mended
  }

  private wait(host: Host, erasure: Erasure, isAgain = false) {
    const { host: name, commands } = host.presence;
    if (!commands.includes("erase") || !concerns(erasure, labelsOf(host.presence))) return;
    if (!isAgain && this.isDone(name, erasure.id)) return;
    const waits = this.next.get(name) ?? new Map<string, number>();
    this.next.set(name, waits.set(erasure.id, 0));
  }

  private askDue() {
    const nowMs = this.parts.now();
    let count = 0;
    for (const [host, waits] of this.next) {
      if (waits.size === 0 || this.parts.fleet.get(host)?.state !== "online") {
        this.next.delete(host);
        continue;
      }
      for (const [id, dueMs] of waits) {
        if (dueMs > nowMs || count++ >= ASKED_AT_ONCE_MAX) continue;
        waits.set(id, nowMs + ASK_EVERY_MS);
        this.tell(host, id);
      }
    }
  }

  private tell(host: string, id: string) {
    const { broker, name: orchestrator, topicPrefix } = this.parts;
    const erasure = this.known.get(id)?.record;
    if (erasure === undefined) return;
    const body: EraseCommand = { id, orchestrator, erasure };
    const payload = seal({ type: "erase", body, issuedAtMs: Date.now() });
    try {
      broker.publishNow({ topic: agentTopics(topicPrefix, host).command, payload });
    } catch {
      // There is no broker now: it is asked again.
    }
  }
}

/** Retired hosts are told if they come back, and not waited for. */
function isExpected({ presence, retiredMs }: Host, erasure: Erasure): boolean {
  return retiredMs === null && concerns(erasure, labelsOf(presence));
}
