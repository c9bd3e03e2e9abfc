/** Brings one sink what is in the queue: in order, in batches, again and again until it is taken. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { DeadLetters } from "./dead_letters.ts";
import { documentsOf } from "./documents.ts";
import type { Schema } from "./documents.ts";
import { changedEvents } from "./event.ts";
import type { CountedWindow } from "./event.ts";
import { orAborted } from "./or_aborted.ts";
import type { QueueEntry, WindowQueue } from "./queue.ts";
import { SinkError } from "./sinks/sink.ts";
import type { Outgoing, Rejected, Sink } from "./sinks/sink.ts";

/** Characters of documents that are sent together: many servers and proxies refuse 10 MB. */
const REQUEST_LENGTH_MAX = 4_000_000;

/** How a sink is served. */
export interface DeliveryOptions {
  name: string;
  /** What of the queue it gets: "windows", or its own name. */
  feed: string;
  schema: Schema;
  queue: WindowQueue;
  sink: Sink;
  deadLetters: DeadLetters;
  /** The last entry that it has taken. */
  cursor: number;
  setCursor(seq: number): void;
  /** Documents that are sent together at most. */
  batchMax: number;
  /** Full jitter between tries: at random below a bound that doubles from the first to the last. */
  retryMs: { first: number; last: number };
  /** One try. */
  timeoutMs: number;
  /** After each try that took something, in seconds. */
  observe?: (seconds: number) => void;
}

/** What has become of a sink's part of the queue, since the start. */
export interface DeliveryCounts {
  sent: number;
  bytes: number;
  failures: number;
  deadLetters: number;
  /** Removed from a full queue, or damaged, before the sink had them. */
  lost: number;
}

/** What came of a try. */
interface Attempt {
  /** To be tried again. */
  again: readonly Outgoing[];
  /** Refused for good: each by itself, or when it was sent alone. */
  refused: readonly Rejected[];
  retryAfterMs?: number | undefined;
}

/** Tries of a batch of which every event is refused, with pauses up to the longest: some minutes. */
const ALL_REFUSED_MAX = 12;

export class Delivery {
  readonly counts: DeliveryCounts = { sent: 0, bytes: 0, failures: 0, deadLetters: 0, lost: 0 };
  private readonly log = getLogger(["agent", "sink"]);
  private seq: number;
  /** The last entry that is being read or was: it is sent, or found to be gone, whatever the queue does. */
  private readSeq: number;
  /** How often in a row all of a batch was refused. */
  private allRefused = 0;
  /** Why the last try failed; null when it did not. */
  problem: string | null = null;

  constructor(private readonly options: DeliveryOptions) {
    this.seq = Math.min(options.cursor, options.queue.end);
    this.readSeq = this.seq;
    // Numbers begin anew when files are gone: the next start must not skip what has come by then.
    if (this.seq < options.cursor) options.setCursor(this.seq);
  }

  get name(): string {
    return this.options.name;
  }

  /** The sink needs nothing in the queue up to here. */
  deliveredSeq(): number {
    const { queue, feed } = this.options;
    const first = queue.next(this.seq, feed);
    return first === null ? queue.end : first.seq - 1;
  }

  /** What waits for it. */
  waiting(): { events: number; bytes: number; oldestStartMs: number | null } {
    const entries = this.entries();
    return {
      events: entries.reduce((sum, { events }) => sum + events, 0),
      bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
      oldestStartMs: entries.length === 0
        ? null
        : entries.reduce((oldest, { startMs }) => Math.min(oldest, startMs), Infinity),
    };
  }

  /** Runs until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const grown = this.options.queue.grown();
      const batch = await this.nextBatch(signal);
      if (batch === null) {
        await orAborted(grown, signal);
        continue;
      }
      for (const request of requestsOf(batch.events, this.options.batchMax)) {
        if (!await this.deliver(request, signal)) return;
      }
      this.seq = batch.seq;
      this.noteCursor(signal);
    }
  }

  /** On a full disk it cannot be: then what follows notes it, or a restart sends some once more. */
  private noteCursor(signal: AbortSignal) {
    try {
      this.options.setCursor(this.seq);
    } catch (error) {
      this.failed(`its place cannot be noted: ${messageOf(error)}`, signal);
    }
  }

  private entries(): QueueEntry[] {
    return this.options.queue.after(this.seq, this.options.feed);
  }

  /** Null: there is none, or the signal came. */
  private async nextBatch(
    signal: AbortSignal,
  ): Promise<{ seq: number; events: Outgoing[] } | null> {
    const { batchMax, queue, feed, schema } = this.options;
    const events: Outgoing[] = [];
    let seq: number | null = null;
    for (;;) {
      const entry = queue.next(seq ?? this.seq, feed);
      if (entry === null || (seq !== null && events.length + entry.events > batchMax)) break;
      const window = await this.windowOf(entry, signal);
      if (signal.aborted) return null;
      seq = entry.seq;
      if (window === null) continue;
      events.push(...changedEvents(window).flatMap((event) => documentsOf(event, schema)));
    }
    return seq === null ? null : { seq, events };
  }

  /** Null: it is gone or damaged, or the signal came. What else hinders reading it may pass. */
  private async windowOf(entry: QueueEntry, signal: AbortSignal): Promise<CountedWindow | null> {
    this.readSeq = entry.seq;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        return await this.options.queue.read(entry);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.InvalidData) {
          this.countLost(entry, messageOf(error));
          return null;
        }
        this.failed(`what waits for it cannot be read: ${messageOf(error)}`, signal);
      }
      await this.pause(tries, undefined, signal);
    }
    return null;
  }

  /** Of what the queue had no room for. */
  countLostIfWaiting(entry: QueueEntry) {
    const isMine = entry.feed === this.options.feed && entry.seq > this.readSeq;
    if (isMine) this.countLost(entry, "the queue has no room for more");
  }

  private countLost(entry: QueueEntry, reason: string) {
    this.counts.lost += entry.events;
    this.log.error("{events} events of {at} are lost to the sink {sink}: {reason}", {
      events: entry.events,
      at: new Date(entry.startMs).toISOString(),
      sink: this.name,
      reason,
    });
  }

  /** False: the signal came first, and not everything is delivered. */
  private async deliver(events: readonly Outgoing[], signal: AbortSignal): Promise<boolean> {
    let left = events;
    for (let tries = 0; left.length > 0; tries++) {
      const before = left.length;
      const { again, refused, retryAfterMs } = await this.attempt(left, signal);
      left = again;
      if (this.isSinkAtFault(refused, before)) {
        left = refused.map(({ event }) => event);
        this.failed(`it refuses each of ${before}, the first: ${refused[0]?.reason}`, signal);
      } else if (!await this.bury(refused, signal)) return false;
      if (left.length === 0) break;
      if (left.length < before) tries = 0; // it goes on, if slowly
      if (!await this.pause(tries, retryAfterMs, signal)) return false;
    }
    if (this.problem !== null) {
      this.log.info("The sink {sink} takes events again", { sink: this.name });
    }
    this.problem = null;
    return true;
  }

  /** Who refuses every event, each alone, is mostly set up wrongly: it has some tries to be mended. */
  private isSinkAtFault(refused: readonly Rejected[], events: number): boolean {
    const isAll = events > 1 && refused.length === events;
    this.allRefused = isAll ? this.allRefused + 1 : 0;
    return isAll && this.allRefused <= ALL_REFUSED_MAX;
  }

  /** One try. */
  private async attempt(events: readonly Outgoing[], signal: AbortSignal): Promise<Attempt> {
    const { sink, timeoutMs, observe } = this.options;
    const startedMs = performance.now();
    try {
      const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const { rejected, again, why = "it gives no reason" } = await sink.send(events, ends);
      observe?.((performance.now() - startedMs) / 1_000);
      const kept = new Set<Outgoing>([...again, ...rejected.map(({ event }) => event)]);
      for (const event of events) {
        if (kept.has(event)) continue;
        this.counts.sent++;
        this.counts.bytes += event.body.length;
      }
      if (again.length > 0) {
        this.failed(`${again.length} of ${events.length} were put off, the first: ${why}`, signal);
      }
      return { again, refused: rejected };
    } catch (error) {
      const facts = error instanceof SinkError ? error.facts : {};
      if (facts.blames === true) return await this.split(events, messageOf(error), signal);
      this.failed(messageOf(error), signal);
      return { again: events, refused: [], retryAfterMs: facts.retryAfterMs };
    }
  }

  /** Halves find the one that is at fault. */
  private async split(
    events: readonly Outgoing[],
    reason: string,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const [first] = events;
    if (events.length === 1 && first !== undefined) {
      return { again: [], refused: [{ event: first, reason }] };
    }
    const middle = events.length >> 1;
    const again: Outgoing[] = [];
    const refused: Rejected[] = [];
    for (const half of [events.slice(0, middle), events.slice(middle)]) {
      const attempt = await this.attempt(half, signal);
      again.push(...attempt.again);
      refused.push(...attempt.refused);
    }
    return { again, refused };
  }

  /** Waits for room on the disk, if it must. False: the signal came first. */
  private async bury(rejected: readonly Rejected[], signal: AbortSignal): Promise<boolean> {
    if (rejected.length === 0) return true;
    for (let tries = 0;; tries++) {
      try {
        await this.options.deadLetters.add(rejected);
        break;
      } catch (error) {
        this.failed(`what it refuses cannot be put aside: ${messageOf(error)}`, signal);
      }
      if (!await this.pause(tries, undefined, signal)) return false;
    }
    this.counts.deadLetters += rejected.length;
    this.log.warn("The sink {sink} refuses {events} for good, first of them {id}: {reason}", {
      sink: this.name,
      events: rejected.length,
      id: rejected[0]?.event.id,
      reason: rejected[0]?.reason,
    });
    return true;
  }

  private failed(reason: string, signal: AbortSignal) {
    if (signal.aborted) return;
    this.counts.failures++;
    if (this.problem === null) { // once per outage
      this.log.warn("The sink {sink} takes nothing, will try for ever: {reason}", {
        sink: this.name,
        reason,
      });
    }
    this.problem = reason;
  }

  /** False: the signal came first. */
  private async pause(
    tries: number,
    retryAfterMs: number | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { first, last } = this.options.retryMs;
    const boundMs = Math.min(last, first * 2 ** tries);
    const waitMs = Math.min(last, Math.max(retryAfterMs ?? 0, Math.random() * boundMs));
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(() => timeout.resolve(), waitMs);
    await orAborted(timeout.promise, signal);
    clearTimeout(timer);
    return !signal.aborted;
  }
}

/** What may be sent together: rows of one window can be more than a sink takes in one request. */
function requestsOf(events: readonly Outgoing[], countMax: number): Outgoing[][] {
  const requests: Outgoing[][] = [];
  let length = Infinity;
  for (const event of events) {
    const last = requests.at(-1);
    if (
      last === undefined || last.length === countMax ||
      length + event.body.length > REQUEST_LENGTH_MAX
    ) {
      requests.push([event]);
      length = event.body.length;
    } else {
      last.push(event);
      length += event.body.length;
    }
  }
  return requests;
}
