/**
 * Takes commands from the broker: checks who asks, acknowledges at once, runs, sends the answer.
 *
 * A request runs once: nothing of its answer leaves before its id is on disk. MQTT may deliver a
 * command again: while its query runs, it is acknowledged again and not run again; after that it is
 * refused as seen before, like any replay. So for the asker the first acknowledgement of a host
 * counts, and one after its last result means nothing.
 */
import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { signedBroadcast } from "../../protocol/wire/broadcast.ts";
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { QueryClaims } from "../../protocol/signing/claims.ts";
import { open, parseBody } from "../../protocol/wire/envelope.ts";
import { ARCHIVED_HOSTS, ArchivedHostsCommand } from "../../protocol/wire/archived_hosts.ts";
import { HoldingsCommand } from "../../protocol/wire/holdings.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import {
  CancelCommand,
  EraseCommand,
  ExplainCommand,
  QueryCommand,
  ResultAckCommand,
  TailCommand,
  TailKeepCommand,
} from "../../protocol/wire/messages.ts";
import type { Verified } from "../../protocol/signing/signature.ts";
import type {
  QueryAck,
  ResultEnd,
  ResultMessage,
  TailMessage,
} from "../../protocol/wire/messages.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
import { PLAN_VERSIONS } from "../../queries/plan/planner.ts";
import type { AskedQuery, QueryOutcome } from "../query_log/query_log.ts";
import type { HostAnswer, HostAnswerer } from "../store/answer.ts";
import { admitted } from "./admission.ts";
import type { Admission } from "./admission.ts";
import { ResultSender } from "./result_sender.ts";
import { Tails } from "./tails.ts";
import type { LiveOpener } from "./tails.ts";

const log = getLogger(["agent", "link"]);

/** Beside `query`. */
export const MORE_COMMANDS = ["tail", "explain", "erase"];
/** Where there is an archive: pieces of questions to it, and whose chunks it has. */
export const ARCHIVE_COMMANDS = ["archive", ARCHIVED_HOSTS];

export interface CommandOptions extends Admission {
  answer: HostAnswerer;
  openLive: LiveOpener;
  /** Says whether a request was here before. */
  isKnown(id: string): boolean;
  /** Notes a request id durably, and that a query begins. */
  remember(id: string, expiresAtMs: number, query?: AskedQuery): void;
  /** Notes what came of a query. */
  endQuery(id: string, outcome: QueryOutcome): void;
  acknowledge(ack: QueryAck): void;
  /** Takes an erasure that may be known already, and says how it goes. Never rejects. */
  erase(command: EraseCommand): Promise<void>;
  /** Says what the store holds of a day. */
  sendDay(orchestrator: string, day: string): void;
  /** Says which hosts the archive has chunks of, as soon as that is known. */
  sendArchivedHosts(command: ArchivedHostsCommand): void;
  sendResult(orchestrator: string, message: ResultMessage): void;
  /** False: there is no broker to take it, and it is lost. */
  sendLines(orchestrator: string, message: TailMessage): boolean;
  /** @default Date.now */
  now?: () => number;
}

/** What has come in since the start. */
export interface CommandCounts {
  accepted: number;
  refused: number;
  /** Messages that are no command of ours. */
  malformed: number;
}

interface Running {
  stop: AbortController;
  sender: ResultSender;
  done: Promise<void>;
}

export class Commands {
  readonly counts: CommandCounts = { accepted: 0, refused: 0, malformed: 0 };
  private readonly running = new Map<string, Running>();
  private readonly tails: Tails;
  private stopping = false;
  private readonly now: () => number;

  constructor(private readonly options: CommandOptions) {
    this.now = options.now ?? Date.now;
    const { openLive: open, sendLines: send, ...rest } = options;
    this.tails = new Tails({ ...rest, open, send, now: this.now });
  }

  /** Takes one message. Never throws: what is malformed is counted, and answered by nobody. */
  receive(payload: Uint8Array): void {
    try {
      this.dispatch(payload);
    } catch (error) {
      this.counts.malformed++;
      log.debug("Ignored a command: {reason}", { reason: messageOf(error) });
    }
  }

  private dispatch(payload: Uint8Array) {
    const { type, body } = open(payload);
    switch (type) {
      case "query":
        this.query({ command: parseBody(QueryCommand, body, "query"), explain: false });
        return;
      case "explain":
        this.query({ command: parseBody(ExplainCommand, body, "explain"), explain: true });
        return;
      case "cancel": {
        const { request } = parseBody(CancelCommand, body, "cancel");
        this.running.get(request)?.stop.abort(new LogvendError("cancelled", "Cancelled"));
        this.tails.cancel(request);
        return;
      }
      case "result_ack": {
        const { request, seq } = parseBody(ResultAckCommand, body, "result_ack");
        this.running.get(request)?.sender.acknowledge(seq);
        return;
      }
      case "tail":
        if (!this.stopping) this.tail(parseBody(TailCommand, body, "tail"));
        return;
      case "holdings": {
        const { orchestrator, days } = parseBody(HoldingsCommand, body, "holdings");
        for (const day of days) this.options.sendDay(orchestrator, day);
        return;
      }
      case ARCHIVED_HOSTS:
        this.options.sendArchivedHosts(parseBody(ArchivedHostsCommand, body, ARCHIVED_HOSTS));
        return;
      case "erase":
        this.options.erase(parseBody(EraseCommand, body, "erase"));
        return;
      case "tail_keep":
        this.tails.keep(parseBody(TailKeepCommand, body, "tail_keep").request);
        return;
      default:
        throw new LogvendError("usage", `There is no command "${type}"`);
    }
  }

  private tail(command: TailCommand) {
    this.tails.start(command).catch((error) => {
      log.error("A tail failed: {error}", { error: messageOf(error) });
    });
  }

  private query(asked: Asked) {
    this.answer(asked).catch((error) => {
      log.error("A query failed: {error}", { error: messageOf(error) });
    });
  }

  private async answer(asked: Asked) {
    const startMs = performance.now();
    const { command } = asked;
    const { request } = command;
    let verified: Checked;
    try {
      verified = await this.check(asked);
      if (this.stopping) throw stoppingError();
      if (!this.running.has(request) && this.options.isKnown(request)) {
        throw new LogvendError("not_permitted", "seen before");
      }
    } catch (error) {
      this.counts.refused++;
      const refused = toWireError(error);
      log.info("Refused query {request}: {reason}", { request, reason: refused.message });
      this.options.acknowledge({ request, accepted: false, refused });
      return;
    }
    if (this.running.has(request)) {
      this.options.acknowledge({ request, accepted: true });
      return;
    }
    this.counts.accepted++;
    const stop = new AbortController();
    const sender = new ResultSender(request, (message) => {
      this.options.sendResult(command.orchestrator, message);
    });
    const done = this.run({ ...asked, ...verified, sender, signal: stop.signal, startMs });
    this.running.set(request, { stop, sender, done });
    await done.finally(() => this.running.delete(request));
  }

  /** @throws {LogvendError} with the reason that the asker is told */
  private async check({ command, explain }: Asked): Promise<Checked> {
    const { token, sql, request, plan_version, broadcast, archive } = command;
    const verified = await admitted(this.options, {
      ...{ schema: QueryClaims, request, token, sql, nowMs: this.now() },
      ...(archive === undefined ? {} : { pieceOf: archive.of, holdsUntilMs: pieceHoldsUntilMs }),
    });
    if (verified.claims.explain === true && !explain && archive?.kind !== "list") {
      throw new LogvendError("not_permitted", "it was signed to be explained, not to be run");
    }
    if (!PLAN_VERSIONS.includes(plan_version)) {
      const own = PLAN_VERSIONS.join(" and ");
      throw new LogvendError(
        "unavailable",
        `asked for plan version ${plan_version}, this agent has ${own}: upgrade the older`,
      );
    }
    return { ...verified, broadcast: await signedBroadcast(verified.claims, broadcast) };
  }

  private async run(job: Job) {
    const { command, explain, claims, broadcast, sender, signal, startMs } = job;
    const { now, range, limits, selector, source } = claims;
    if (claims.force === true && !explain) {
      log.warning(
        "Query {id} of {operator} is forced: it runs even if it had to be killed before",
        {
          id: claims.id,
          operator: job.publicKey,
        },
      );
    }
    const totalMs = () => performance.now() - startMs;
    try {
      const { sql, tables, plan_version: version, archive: piece, may_lack: mayLack } = command;
      const { force = false } = claims;
      const archive = piece && { piece, selector };
      const asked = { sql, tables, now, range, limits, source, version };
      const query = { ...asked, broadcast, force, explain, archive, mayLack };
      const [answered, remembered] = await Promise.allSettled([
        this.options.answer(query, signal),
        this.accept(job),
      ]);
      await using answer = valueOf(answered);
      valueOf(remembered);
      await sender.send(answer.tables, () => endOf(answer, totalMs()), signal);
      this.ended(job, completed(answer, totalMs()));
    } catch (error) {
      sender.fail({ ok: false, error: toWireError(error) });
      this.ended(job, failed(error, totalMs()));
    }
  }

  /** Says so, and remembers the request: while its query is at work in other threads already. */
  private async accept({ command: { request, sql }, explain, claims, publicKey }: Job) {
    await setImmediate();
    const { selector } = claims;
    this.options.acknowledge({ request, accepted: true });
    const query = { id: request, askedMs: this.now(), operator: publicKey, selector, sql };
    this.options.remember(request, pieceHoldsUntilMs(claims), explain ? undefined : query);
  }

  private ended({ command: { request: id }, explain }: Job, outcome: QueryOutcome) {
    if (explain) return; // the log is of queries
    try {
      this.options.endQuery(id, outcome);
    } catch (error) {
      log.warning("Cannot note what came of query {id}: {error}", { id, error: messageOf(error) });
    }
  }

  /** Stops every query and takes no more; resolves when all have said so. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.tails.stop(stoppingError());
    const running = [...this.running.values()];
    for (const { stop } of running) stop.abort(stoppingError());
    await Promise.all(running.map(({ done }) => done));
  }
}

/** A query, or whether it would run. */
interface Asked {
  command: QueryCommand;
  explain: boolean;
}

/** A query that may run here. */
interface Checked extends Verified<QueryClaims> {
  /** The asker's own tables. */
  broadcast: BroadcastTable[];
}

/** Pieces of a question to the archive are asked for as long as the question may take. */
function pieceHoldsUntilMs({ expires_at_ms, issued_at_ms, limits }: QueryClaims): number {
  return Math.max(expires_at_ms, issued_at_ms + limits.timeout_ms);
}

interface Job extends Asked, Checked {
  sender: ResultSender;
  signal: AbortSignal;
  /** performance.now() at the command's arrival. */
  startMs: number;
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

function stoppingError(): LogvendError {
  return new LogvendError("unavailable", "The agent is stopping");
}

function endOf({ tables, coverage, sqlMs }: HostAnswer, totalMs: number): ResultEnd {
  return {
    ok: true,
    rows: Object.fromEntries(tables.map(({ table, rows }) => [table, rows])),
    coverage,
    sql_ms: toMicros(sqlMs),
    total_ms: toMicros(totalMs),
  };
}

/** Without the digits that say nothing. */
function toMicros(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function completed({ tables, coverage, sqlMs }: HostAnswer, totalMs: number): QueryOutcome {
  return {
    state: "complete",
    error: null,
    rowsShipped: tables.reduce((sum, { rows }) => sum + rows, 0),
    bytesShipped: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    chunks: coverage.chunks,
    rowsScanned: coverage.rows_scanned,
    bytesRead: coverage.bytes_read,
    sqlMs,
    totalMs,
  };
}

function failed(error: unknown, totalMs: number): QueryOutcome {
  const { code, message } = toWireError(error);
  return {
    state: code === "cancelled" ? "cancelled" : "failed",
    error: message,
    rowsShipped: null,
    bytesShipped: null,
    chunks: null,
    rowsScanned: null,
    bytesRead: null,
    sqlMs: null,
    totalMs,
  };
}
