/** Follows one query on every asked host until each has answered or is missing for a reason. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type {
  HostCoverage,
  QueryAck,
  ResultMessage,
  WireError,
} from "../../protocol/wire/messages.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import type { MissingKind } from "./coverage.ts";
import { HostInbox } from "./host_inbox.ts";
import type { TablePart } from "./host_inbox.ts";

/**
 * Hosts that may owe an acknowledgement at once. With their results that stays below what brokers
 * hold for one client before they drop messages (Mosquitto, unless told otherwise: 1,000).
 */
const UNACKNOWLEDGED_MAX = 400;

/** The timers of a process that has CPU are never as late as this. */
const LATE_MS = 50;

/** Of a reason that a host's own words are part of. */
const REASON_LENGTH_MAX = 500;

/** Everything one host shipped: its rows count only when they are as many as it says. */
export interface HostAnswer {
  host: string;
  parts: TablePart[];
  /** Rows it says it shipped, by partial table. */
  rows: Record<string, number>;
  coverage: HostCoverage;
  /** Size of its messages. */
  byteCount: number;
}

/** How one host came out. `error` is what it said itself, where it said anything. */
export type Outcome =
  | { kind: "answered"; answer: HostAnswer }
  | { kind: "missing"; host: string; why: MissingKind; reason: string; error?: WireError };

export interface CollectorOptions {
  hosts: readonly string[];
  /** The folder for large results, made when it is needed. */
  folder: () => string;
  /** From now on. */
  timeoutMs: number;
  /** A host that does not acknowledge within this is missing: nobody waits longer for it. */
  ackTimeoutMs: number;
  /** What all hosts together may send. */
  bytesMax: number;
  /** The error when they send more. */
  overflow(): LogvendError;
  /** Sends the query to a host. @throws {LogvendError} unavailable */
  ask(host: string): void;
  /** Tells a host how far its messages have come. */
  acknowledge(host: string, seq: number): void;
}

interface Asked {
  inbox: HostInbox;
  accepted: boolean;
  byteCount: number;
}

export class Collector implements Disposable {
  /** Hosts that are neither through nor missing yet. */
  private readonly open = new Map<string, Asked>();
  /** Hosts that said themselves that they are through, or are gone: there is nothing to cancel. */
  private readonly ended = new Set<string>();
  private readonly settled: Outcome[] = [];
  private failure: LogvendError | null = null;
  private outage: LogvendError | null = null;
  private wake: () => void = () => {};
  /** Of all messages that came. */
  byteCount = 0;
  /** Hosts that will be asked when others have acknowledged. */
  private waiting: string[];
  private unacknowledged = 0;
  private readonly timers: ReturnType<typeof setTimeout>[];

  /** The clock starts here. */
  constructor(private readonly options: CollectorOptions) {
    for (const host of options.hosts) {
      const inbox = new HostInbox({ host, folder: options.folder });
      this.open.set(host, { inbox, accepted: false, byteCount: 0 });
    }
    this.waiting = [...options.hosts];
    this.timers = [setTimeout(() => this.deadline(), options.timeoutMs)];
  }

  /** Asks as many hosts as may be asked at once. @throws {LogvendError} unavailable */
  ask(): void {
    const hosts = this.waiting.splice(0, UNACKNOWLEDGED_MAX - this.unacknowledged)
      .filter((host) => this.open.has(host));
    this.unacknowledged += hosts.length;
    for (const host of hosts) this.options.ask(host);
    const { ackTimeoutMs } = this.options;
    const dueMs = performance.now() + ackTimeoutMs;
    this.timers.push(setTimeout(() => this.ackDeadline(hosts, dueMs), ackTimeoutMs));
  }

  /** Each host once: those that came out since the last batch. @throws what `fail` was given */
  async *batches(): AsyncGenerator<Outcome[]> {
    for (;;) {
      if (this.failure !== null) throw this.failure;
      if (this.settled.length > 0) yield this.settled.splice(0);
      else if (this.open.size === 0) return;
      else await new Promise<void>((resolve) => this.wake = resolve);
    }
  }

  /** Asked hosts that may still be at work. */
  unfinished(): string[] {
    const waiting = new Set(this.waiting);
    return this.options.hosts.filter((host) => !this.ended.has(host) && !waiting.has(host));
  }

  /** Ends the whole query: `batches` throws this. */
  fail(error: LogvendError): void {
    this.failure ??= error;
    this.wake();
  }

  /** Shortens the deadline to a moment: hosts that are not through by then are missing. */
  hurry(): void {
    this.timers.push(setTimeout(() => this.deadline(), this.options.ackTimeoutMs));
  }

  receiveAck(host: string, ack: QueryAck): void {
    const asked = this.open.get(host);
    if (asked === undefined) return;
    // The first word counts: a command that MQTT delivers twice is accepted and then refused.
    if (ack.accepted) this.accept(asked);
    else if (!asked.accepted) this.refuse(host, ack.refused);
  }

  /** @param byteCount the size of the message as it came */
  receiveResult(host: string, message: ResultMessage, byteCount: number): void {
    const asked = this.open.get(host);
    if (asked === undefined) {
      if (this.options.hosts.includes(host)) this.options.acknowledge(host, message.seq);
      return;
    }
    this.accept(asked); // its acknowledgement may have been lost
    asked.byteCount += byteCount;
    this.byteCount += byteCount;
    if (this.byteCount > this.options.bytesMax) {
      return this.fail(this.options.overflow());
    }
    try {
      this.options.acknowledge(host, asked.inbox.take(message));
      if (asked.inbox.end !== null) this.finish(host, asked);
    } catch (error) {
      this.miss(host, "failed", messageOf(error));
    }
  }

  /** A message of the host's that is none of ours. */
  receiveMalformed(host: string, reason: string): void {
    this.miss(host, "failed", reason.slice(0, REASON_LENGTH_MAX));
  }

  /** The host went away, or came back as a new process that knows nothing of this query. */
  hostGone(host: string): void {
    this.ended.add(host);
    this.miss(host, "lost", "went away while the query ran");
  }

  /** The broker is lost: hosts that are not through are missing, and none can be told to stop. */
  disconnect(error: LogvendError): void {
    if (this.open.size > 0) this.outage = error;
    this.waiting = [];
    for (const host of this.options.hosts) this.ended.add(host);
    for (const host of this.open.keys()) this.miss(host, "lost", error.message);
  }

  /** Why hosts could not be heard to the end; null while the broker is there. */
  get lost(): LogvendError | null {
    return this.outage;
  }

  private finish(host: string, asked: Asked) {
    const { end } = asked.inbox;
    if (end === null) return;
    this.ended.add(host);
    if (!end.ok) {
      const why = end.error.code === "not_permitted" ? "refused" : "failed";
      this.miss(host, why, end.error.message, end.error);
      return;
    }
    this.settle(host, {
      kind: "answered",
      answer: {
        host,
        parts: asked.inbox.finish(),
        rows: end.rows,
        coverage: end.coverage,
        byteCount: asked.byteCount,
      },
    });
  }

  private refuse(host: string, error: WireError | undefined) {
    this.ended.add(host);
    this.miss(host, "refused", error?.message ?? "gave no reason", error);
  }

  private accept(asked: Asked) {
    if (asked.accepted) return;
    asked.accepted = true;
    this.acknowledged();
  }

  /** Half of those that may be asked at once have to be there: then the next are asked together. */
  private acknowledged() {
    this.unacknowledged--;
    if (this.waiting.length === 0 || this.unacknowledged > UNACKNOWLEDGED_MAX / 2) return;
    try {
      this.ask();
    } catch (error) {
      if (!(error instanceof LogvendError)) throw error;
      this.disconnect(error);
    }
  }

  /**
   * Where the timer is late this process itself was held up, and what hosts said in time may lie
   * unread: it is read first.
   */
  private ackDeadline(hosts: readonly string[], dueMs: number) {
    const lateMs = performance.now() - dueMs;
    const giveUp = () => this.giveUpOnSilent(hosts);
    if (lateMs < LATE_MS) giveUp();
    else this.timers.push(setTimeout(giveUp, Math.min(lateMs, this.options.ackTimeoutMs)));
  }

  private giveUpOnSilent(hosts: readonly string[]) {
    for (const host of hosts) {
      if (this.open.get(host)?.accepted !== false) continue;
      this.miss(host, "no_ack", `nothing within ${formatDurationMs(this.options.ackTimeoutMs)}`);
    }
  }

  private deadline() {
    for (const host of this.open.keys()) {
      this.miss(host, "timeout", `no result within ${formatDurationMs(this.options.timeoutMs)}`);
    }
  }

  private miss(host: string, why: MissingKind, reason: string, error?: WireError) {
    this.settle(host, {
      kind: "missing",
      host,
      why,
      reason,
      ...(error === undefined ? {} : { error }),
    });
  }

  private settle(host: string, outcome: Outcome) {
    const asked = this.open.get(host);
    if (asked === undefined) return;
    asked.inbox[Symbol.dispose]();
    this.open.delete(host);
    this.settled.push(outcome);
    this.wake();
    if (!asked.accepted && !this.waiting.includes(host)) this.acknowledged();
  }

  [Symbol.dispose](): void {
    for (const timer of this.timers) clearTimeout(timer);
    for (const { inbox } of this.open.values()) inbox[Symbol.dispose]();
    this.open.clear();
  }
}
