/**
 * Takes commands from the broker: checks who asks, acknowledges at once, runs, sends the answer.
 *
 * A request runs once: nothing of its answer leaves before its id is on disk. MQTT may deliver a command again: while its query runs, it is acknowledged
 * again and not run again; after that it is refused as seen before, like any replay. So for the
 * asker the first acknowledgement of a host counts, and one after its last result means nothing.
 */
import { setImmediate } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { QueryClaims } from "../../protocol/claims.ts";
import { open, parseBody } from "../../protocol/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { CancelCommand, QueryCommand, ResultAckCommand } from "../../protocol/messages.ts";
import type { QueryAck, ResultEnd, ResultMessage } from "../../protocol/messages.ts";
import { matches, parseSelector } from "../../protocol/selector.ts";
import { verifyClaims } from "../../protocol/signature.ts";
import { toWireError } from "../../protocol/wire_error.ts";
import { PLAN_VERSION } from "../../queries/plan/planner.ts";
import type { HostAnswer, HostAnswerer } from "../store/answer.ts";
import { ResultSender } from "./result_sender.ts";

const log = getLogger(["agent", "link"]);

export interface CommandOptions {
  /** What the selector of a request must match: labels, host and region. */
  labels: Readonly<Record<string, string>>;
  /** Pinned operator keys. */
  trust: readonly string[];
  answer: HostAnswerer;
  /** Says whether a request was here before. */
  isKnown(id: string): boolean;
  /** Notes a request id durably. */
  remember(id: string, expiresAtMs: number): void;
  acknowledge(ack: QueryAck): void;
  sendResult(orchestrator: string, message: ResultMessage): void;
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
  private stopping = false;
  private readonly now: () => number;

  constructor(private readonly options: CommandOptions) {
    this.now = options.now ?? Date.now;
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
        this.query(parseBody(QueryCommand, body, "query")).catch((error) => {
          log.error("A query failed: {error}", { error: messageOf(error) });
        });
        return;
      case "cancel": {
        const { request } = parseBody(CancelCommand, body, "cancel");
        this.running.get(request)?.stop.abort(new LogvendError("cancelled", "Cancelled"));
        return;
      }
      case "result_ack": {
        const { request, seq } = parseBody(ResultAckCommand, body, "result_ack");
        this.running.get(request)?.sender.acknowledge(seq);
        return;
      }
      default:
        throw new LogvendError("usage", `There is no command "${type}"`);
    }
  }

  private async query(command: QueryCommand) {
    const startMs = performance.now();
    const { request } = command;
    let claims: QueryClaims;
    try {
      claims = await this.check(command);
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
    const done = this.run({ command, claims, sender, signal: stop.signal, startMs });
    this.running.set(request, { stop, sender, done });
    await done.finally(() => this.running.delete(request));
  }

  /** @throws {LogvendError} with the reason that the asker is told */
  private async check(command: QueryCommand): Promise<QueryClaims> {
    const { trust, labels } = this.options;
    const { token, sql, request, plan_version } = command;
    const { claims } = await verifyClaims({ token, sql, trust, nowMs: this.now() });
    if (claims.id !== request) {
      throw new LogvendError("not_permitted", "the signature is that of another request");
    }
    if (!matches(parseSelector(claims.selector), labels)) {
      throw new LogvendError("not_permitted", `"${claims.selector}" does not select this host`);
    }
    if (plan_version !== PLAN_VERSION) {
      throw new LogvendError(
        "unavailable",
        `asked for plan version ${plan_version}, this agent has ${PLAN_VERSION}: upgrade the older`,
      );
    }
    return claims;
  }

  private async run(job: Job) {
    const { command, claims, sender, signal, startMs } = job;
    const { now, range, limits } = claims;
    try {
      const { sql, tables } = command;
      const query = { sql, tables, now, range, limits };
      const [answered, remembered] = await Promise.allSettled([
        this.options.answer(query, signal),
        this.accept(claims),
      ]);
      await using answer = valueOf(answered);
      valueOf(remembered);
      await sender.send(answer.tables, () => endOf(answer, performance.now() - startMs), signal);
    } catch (error) {
      sender.fail({ ok: false, error: toWireError(error) });
    }
  }

  /** Says so, and remembers the request: while its query is at work in other threads already. */
  private async accept({ id, expires_at_ms }: QueryClaims) {
    await setImmediate();
    this.options.acknowledge({ request: id, accepted: true });
    this.options.remember(id, expires_at_ms);
  }

  /** Stops every query and takes no more; resolves when all have said so. */
  async stop(): Promise<void> {
    this.stopping = true;
    const running = [...this.running.values()];
    for (const { stop } of running) stop.abort(stoppingError());
    await Promise.all(running.map(({ done }) => done));
  }
}

interface Job {
  command: QueryCommand;
  claims: QueryClaims;
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
    sql_ms: sqlMs,
    total_ms: totalMs,
  };
}
