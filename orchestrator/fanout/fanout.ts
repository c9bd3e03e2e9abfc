/** Asks the fleet: checks and plans a question, sends it to the hosts, merges what they answer. */
import { getLogger } from "@logtape/logtape";
import type { BrokerConnection } from "../../protocol/broker_connection.ts";
import type { BroadcastTable } from "../../protocol/broadcast.ts";
import type { QueryClaims } from "../../protocol/claims.ts";
import { MESSAGE_BYTES_MAX, open, parseBody, seal } from "../../protocol/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { QueryAck, ResultMessage } from "../../protocol/messages.ts";
import type {
  CancelCommand,
  QueryCommand,
  ResultAckCommand,
  Table,
} from "../../protocol/messages.ts";
import { agentTopics, parseTopic } from "../../protocol/topics.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Planner } from "../../queries/plan/planner.ts";
import { within } from "../../queries/plan/reach.ts";
import type { Exports } from "../export/exports.ts";
import type { ChunkCatalog, Read } from "../fleet/chunk_catalog.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { Answer, queryIdOf } from "./answer.ts";
import { archivePart } from "./archive/archive_part.ts";
import type { ArchivePart, ArchivePartOptions } from "./archive/archive_part.ts";
import type { ArchivePrices } from "./archive/archive_cost.ts";
import { askPiece } from "./archive/ask_piece.ts";
import type { AnswerFacts } from "./answer.ts";
import { chooseAudience, planVersion } from "./audience.ts";
import type { Audience } from "./audience.ts";
import { Collector } from "./collector.ts";
import type { Coverage } from "./coverage.ts";
import { askVerdicts } from "./explanation.ts";
import type { Explanation, Verdicts } from "./explanation.ts";
import { gather } from "./gather.ts";
import type { Progress } from "./gather.ts";
import type { OnInterim } from "./interim.ts";
import { readingOf } from "./reading.ts";
import { tooManyRows, whyRows } from "./too_many_rows.ts";
import { checkNames } from "./own_tables.ts";
import { NO_HOST_YET } from "./unanswered.ts";
import type { WorkspacePool } from "./workspace.ts";

/** Of a command what is not its body: identities, times. */
const ENVELOPE_BYTES = 1_000;

/** Each running query holds a DuckDB of its own; explained ones ask hosts as well. */
const ASKING_MAX = 16;

const log = getLogger(["orchestrator", "fanout"]);

export interface FanoutParts {
  broker: Pick<BrokerConnection, "publishNow" | "requireConnected">;
  fleet: Fleet;
  catalog: ChunkCatalog;
  planner: Pick<Planner, "start">;
  workspaces: WorkspacePool;
  exports: Exports;
  /** Unique among the orchestrators of the broker: results come to topics of this name. */
  name: string;
  topicPrefix: string;
  /** Of what the archive is asked. */
  prices: ArchivePrices;
  now: () => number;
}

export interface CheckedQuestion {
  sql: string;
  /** Signed claims: hosts check them again. */
  token: string;
  claims: QueryClaims;
  /** Tables of the asker's own; `broadcast` has them packed, as they were signed. */
  tables: BroadcastTable[];
  broadcast?: string | undefined;
}

export interface AskOptions {
  /** Cancels on every host. */
  signal: AbortSignal;
  /** Called when the hosts have been asked, and whenever one of them has answered. */
  onProgress?: (progress: Progress) => void;
  /** Called now and then with what the answer would be by now. */
  onInterim?: OnInterim | undefined;
}

/** A question that hosts can be asked, though its merge may not be planned yet. */
interface Prepared {
  claims: QueryClaims;
  planning: Promise<Plan>;
  audience: Audience;
  /** That the SQL names. */
  tables: Table[];
  /** Of the plan: the newest that all of them know. */
  version: number;
  read: Read;
}

export class Fanout {
  private readonly running = new Map<string, Collector>();
  private asking = 0;

  constructor(private readonly parts: FanoutParts) {}

  /** @throws {LogvendError} not_permitted, bad_sql or unavailable */
  async explain(question: CheckedQuestion): Promise<Explanation> {
    return await this.admit(() => this.explainNow(question));
  }

  private async explainNow(question: CheckedQuestion): Promise<Explanation> {
    const prepared = await this.prepare(question);
    const { claims, planning, audience, read } = prepared;
    const { prices, catalog } = this.parts;
    const plan = await planning;
    const reading = readingOf(catalog, audience.asked, read);
    const signal = AbortSignal.timeout(claims.limits.timeout_ms);
    const [archive = null, verdicts] = await Promise.all([
      this.archiveOf(question, prepared, noFolder)?.find(signal),
      this.verdicts(question, prepared),
    ]);
    const queryId = queryIdOf(claims.id);
    return { queryId, plan, audience, reading, archive, prices, ...verdicts };
  }

  private verdicts(question: CheckedQuestion, prepared: Prepared): Promise<Verdicts> {
    const { claims: { id, limits }, audience } = prepared;
    return askVerdicts({
      ...{ hosts: audience.asked, id, running: this.running, folder: noFolder },
      ...{ timeoutMs: limits.timeout_ms, bytesMax: limits.bytes_max },
      overflow: () => tooManyBytes(prepared, null),
      ask: this.asker("explain", question, prepared),
      acknowledge: (host, seq) => this.acknowledge(host, { request: id, seq }),
      cancel: (host) => this.cancel(host, { request: id }),
    });
  }

  /**
   * Asks and merges. An answer may lack hosts: its coverage names them.
   * @throws {LogvendError} not_permitted, bad_sql, too_many_rows, cancelled, timeout or unavailable
   */
  async ask(question: CheckedQuestion, options: AskOptions): Promise<Answer> {
    return await this.admit(() => this.askHosts(question, options));
  }

  private async admit<T>(work: () => Promise<T>): Promise<T> {
    if (this.asking >= ASKING_MAX) {
      throw new LogvendError("unavailable", `${ASKING_MAX} queries are running; try again later`);
    }
    this.asking++;
    try {
      return await work();
    } finally {
      this.asking--;
    }
  }

  private async askHosts(question: CheckedQuestion, options: AskOptions): Promise<Answer> {
    const startedMs = performance.now();
    const prepared = await this.prepare(question);
    const { claims, planning, audience } = prepared;
    await using owned = new AsyncDisposableStack();
    const { workspaces, exports } = this.parts;
    const workspace = owned.adopt(await workspaces.take(), (taken) => workspaces.giveBack(taken));
    let reason: string | null = null;
    using collector = new Collector({
      hosts: audience.asked.map(({ presence }) => presence.host),
      folder: () => workspace.folder(),
      timeoutMs: claims.limits.timeout_ms,
      bytesMax: claims.limits.bytes_max,
      overflow: () => tooManyBytes(prepared, reason),
      ask: this.asker("query", question, prepared),
      acknowledge: (host, seq) => this.acknowledge(host, { request: claims.id, seq }),
    });
    const archive = this.archiveOf(question, prepared, () => workspace.folder());
    this.running.set(claims.id, collector);
    try {
      collector.ask();
      const plan = await planning; // while the hosts do the same
      reason = whyRows(plan);
      const request = { claims, plan, audience, broadcast: question.tables };
      const onLong = () => void owned.use(exports.enter());
      const gathered = await gather({
        ...request,
        ...options,
        archive,
        collector,
        workspace,
        onLong,
      });
      const { coverage, merged, rowCount: rowsShipped } = gathered;
      const elapsedMs = Math.round(performance.now() - startedMs);
      const costs = { elapsedMs, rowsShipped, bytesShipped: collector.byteCount };
      const facts = factsOf(request, coverage, costs);
      const { signal } = options;
      const { timeout_ms: timeoutMs } = claims.limits;
      return new Answer(facts, {
        ...{ merged, workspace, exports, signal, timeoutMs },
        owned: owned.move(),
      });
    } finally {
      this.running.delete(claims.id);
      for (const host of collector.unfinished()) this.cancel(host, { request: claims.id });
    }
  }

  /** Takes a message of `a/{host}/ack` or `a/{host}/res/…`; what is none of ours is logged. */
  receive(topic: string, payload: Uint8Array): void {
    const received = parseTopic(this.parts.topicPrefix, topic);
    if (received === null) return;
    try {
      const { body } = open(payload);
      if (received.kind === "ack") {
        const ack = parseBody(QueryAck, body, "acknowledgement");
        this.running.get(ack.request)?.receiveAck(received.host, ack);
      } else if (received.kind === "result") {
        const message = parseBody(ResultMessage, body, "result");
        if (message.request !== received.request) return;
        this.running.get(message.request)?.receiveResult(received.host, message, payload.length);
      }
    } catch (error) {
      const { host } = received;
      if (received.kind === "result") {
        this.running.get(received.request)?.receiveMalformed(host, messageOf(error));
      }
      log.warning("Ignored a message of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** A host went offline or restarted: its share of every running query is lost. */
  hostGone(host: string): void {
    for (const collector of this.running.values()) collector.hostGone(host);
  }

  /** No host can be heard or told anything: running queries end with what has come. */
  brokerLost(error: LogvendError): void {
    for (const collector of this.running.values()) collector.disconnect(error);
  }

  /** Ends every running query: on the hosts too. */
  stop(): void {
    const error = new LogvendError("unavailable", "The orchestrator is stopping");
    for (const collector of this.running.values()) collector.fail(error);
    this.parts.exports.stop(error);
  }

  private async prepare({ sql, claims, tables: own }: CheckedQuestion): Promise<Prepared> {
    const { broker, fleet, catalog, planner, now } = this.parts;
    broker.requireConnected(); // without it the fleet is not as we know it
    if (fleet.list().length === 0) {
      throw new LogvendError("unavailable", NO_HOST_YET);
    }
    const known = fleet.tables();
    checkNames(own, known);
    const { selector, source = "live" } = claims;
    // Agents read archived chunks of others than are selected.
    const version = planVersion(fleet, source === "live" ? selector : "");
    const { tables, readsCatalog, range, reach, plan } = await planner.start({
      sql,
      tables: known,
      broadcast: own.map(({ name, columns }) => ({ name, columns })),
      now: claims.now,
      range: claims.range,
      rowsMax: claims.limits.rows_max,
      version,
    });
    const read = { tables, ...within(range, reach) };
    // The catalog is that of the whole fleet, whoever is selected: as SELECT * shows it.
    const audience = readsCatalog || tables.length === 0 || source === "archive"
      ? { asked: [], missing: [], pruned: [] }
      : chooseAudience({
        fleet,
        catalog,
        selector,
        read,
        reach,
        needs: { version },
        nowMs: now(),
      });
    const named = known.filter(({ name }) => tables.includes(name));
    return { claims, planning: plan, audience, tables: named, version, read };
  }

  /** What sends a query to a host, or the question whether it would run it. */
  private asker(
    type: "query" | "explain",
    question: CheckedQuestion,
    prepared: Prepared,
  ): (host: string) => void {
    const command = this.commandOf(question, prepared);
    const payload = this.seal(type, command, prepared.claims.expires_at_ms);
    return (host) => this.publish(host, payload);
  }

  private commandOf(
    { sql, token, broadcast }: CheckedQuestion,
    { claims, tables, version }: Prepared,
  ): QueryCommand {
    return {
      request: claims.id,
      orchestrator: this.parts.name,
      sql,
      token,
      plan_version: version,
      tables,
      ...(broadcast === undefined ? {} : { broadcast }),
    };
  }

  /** What the archive answers; null: nothing. @throws {LogvendError} usage */
  private archiveOf(
    question: CheckedQuestion,
    prepared: Prepared,
    folder: () => string,
  ): ArchivePart | null {
    const { fleet, catalog, now } = this.parts;
    const { claims, audience, read } = prepared;
    const { id: of, limits: { timeout_ms: timeoutMs, bytes_max: bytesMax } } = claims;
    const command = this.commandOf(question, prepared);
    const deadlineMs = now() + timeoutMs;
    const ask: ArchivePartOptions["ask"] = (agent, piece, signal) =>
      askPiece({
        agent,
        folder,
        timeoutMs: Math.max(1, deadlineMs - now()),
        bytesMax,
        overflow: () => tooManyBytes(prepared, null),
        running: this.running,
        send: (request, host) => {
          const body = { ...command, request, archive: { ...piece, of } };
          this.publish(host, this.seal("query", body));
        },
        acknowledge: (request, host, seq) => this.acknowledge(host, { request, seq }),
        cancel: (request, host) => this.cancel(host, { request }),
        signal,
      });
    const room = MESSAGE_BYTES_MAX - JSON.stringify(command).length - ENVELOPE_BYTES;
    return archivePart({
      ...{ fleet, catalog, claims, audience, read, ask, nowMs: now() },
      referenceBytesMax: Math.max(0, room),
    });
  }

  private acknowledge(host: string, command: ResultAckCommand) {
    this.publish(host, this.seal("result_ack", command));
  }

  private cancel(host: string, command: CancelCommand) {
    try {
      this.publish(host, this.seal("cancel", command));
    } catch (error) {
      // The host stops by itself at the deadline that the operator signed.
      log.warning("Cannot cancel on {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  private publish(host: string, payload: Uint8Array) {
    const topic = agentTopics(this.parts.topicPrefix, host).command;
    this.parts.broker.publishNow({ topic, payload });
  }

  private seal(type: string, body: unknown, expiresAtMs?: number): Uint8Array {
    return seal({
      type,
      body,
      issuedAtMs: this.parts.now(),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    });
  }
}

/** Lists of chunks are texts, and nothing else is sent where nothing runs. */
function noFolder(): never {
  throw new LogvendError("usage", "sent a file where a list was asked for");
}

function factsOf(
  { claims, plan }: { claims: QueryClaims; plan: Plan },
  coverage: Coverage,
  costs: Pick<AnswerFacts, "elapsedMs" | "rowsShipped" | "bytesShipped">,
): AnswerFacts {
  const { mode, range, columns } = plan;
  const facts = { queryId: queryIdOf(claims.id), mode, range, columns, coverage, ...costs };
  log.info("{query}: {answered} of {asked} hosts answered in {elapsedMs} ms.", {
    query: facts.queryId,
    answered: coverage.answered,
    asked: coverage.asked,
    elapsedMs: costs.elapsedMs,
  });
  return facts;
}

function tooManyBytes({ claims, audience }: Prepared, reason: string | null): LogvendError {
  return tooManyRows({
    hostCount: audience.asked.length,
    heard: [],
    limits: claims.limits,
    reason,
    rangeMs: null,
  });
}
