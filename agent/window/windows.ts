/** Windows of all streams: counted when the clock says that they are over, and again for late rows. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { KnownTouched, Touched, WindowBook } from "../store/database/touched.ts";
import { dueOf, revisionMinOf } from "./calendar.ts";
import type { Calendar } from "./calendar.ts";
import { nextRevision } from "./event.ts";
import type { CountedWindow } from "./event.ts";
import { orAborted } from "./or_aborted.ts";
import type { WindowQueue } from "./queue.ts";
import type { Counted, StreamWindows } from "./stream_windows.ts";

/** So many windows are counted together: they share a worker and the reading of their files. */
const TOGETHER_MAX = 30;

export interface WindowsOptions {
  calendar: Calendar;
  book: WindowBook;
  queue: WindowQueue;
  streams: readonly StreamWindows[];
  /** Told of each revision. */
  counted?: (window: CountedWindow, before: CountedWindow | null) => void;
  /** After all that is due has been counted. */
  afterwards?: () => Promise<void>;
  /** Told how long counting took, of how many windows. */
  observe?: (seconds: number, windows: number) => void;
  clock: () => number;
}

/** What was done since the start. */
export interface WindowCounts {
  /** Revisions that were made. */
  revisions: number;
  /** Windows that were too old for their late rows. */
  tooLate: number;
  /** Windows of which a sink that wants rows did not get all. */
  cut: number;
  failures: number;
}

/** What is counted together. */
interface Round {
  isWanted: (stream: string) => boolean;
  /** Of streams that could not be counted: more is added. */
  failures: Map<string, unknown>;
  all: boolean;
  signal: AbortSignal;
}

export class Windows {
  readonly counts: WindowCounts = { revisions: 0, tooLate: 0, cut: 0, failures: 0 };
  private readonly log = getLogger(["agent", "window"]);
  private broken = false;
  /** Streams that could not be counted last time: others come first. */
  private troubled: ReadonlySet<string> = new Set();
  private woken = Promise.withResolvers<void>();

  constructor(private readonly options: WindowsOptions) {}

  /** Rows have become durable: there may be windows to count. */
  wake(): void {
    this.woken.resolve();
  }

  /** Counts what is due after every `wake`, until the signal. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.woken = Promise.withResolvers<void>();
      const isCounted = await this.attempt(signal, () => this.countDue(signal));
      if (signal.aborted) return;
      // Also while a stream cannot be counted: the queue grows by the others.
      const isTrimmed = await this.attempt(signal, async () => await this.options.afterwards?.());
      if (signal.aborted) return;
      if (isCounted && isTrimmed) this.broken = false;
      await orAborted(this.woken.promise, signal);
    }
  }

  /** Says whether it went well. */
  private async attempt(signal: AbortSignal, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.counts.failures++;
      if (!this.broken) { // once per outage
        this.log.error("Windows cannot be counted, will try again: {error}", {
          error: messageOf(error),
        });
      }
      this.broken = true;
      return false;
    }
  }

  /**
   * Counts all that is due, the newest first; a stream that fails is left for the next time, however
   * much of it is due. `all`: also windows that are still open, for a host that goes for good.
   * @throws what the first stream that cannot be counted throws, after the others are counted
   */
  async countDue(signal: AbortSignal, all = false): Promise<void> {
    const failures = new Map<string, unknown>();
    const { troubled } = this;
    for (const others of [troubled, new Set<string>()]) {
      const isWanted = (stream: string) => !failures.has(stream) && !others.has(stream);
      while (await this.countSome({ isWanted, failures, all, signal })) {
        if (signal.aborted) return;
      }
    }
    this.troubled = new Set(failures.keys());
    for (const error of failures.values()) throw error;
  }

  /** Counts the newest windows that are due. False: there are none. */
  private async countSome({ isWanted, failures, all, signal }: Round): Promise<boolean> {
    const { calendar, clock, book } = this.options;
    const nowMs = all ? Number.MAX_SAFE_INTEGER / 1_000 : clock();
    const lateMs = all ? nowMs - clock() + calendar.lateMs : calendar.lateMs;
    const floorMs = book.floorMs();
    const done: KnownTouched[] = [];
    const left: Touched[] = [];
    const due = new Map<string, Set<number>>();
    for (const touched of book.touched().reverse()) {
      if (!isWanted(touched.stream)) continue;
      const { starts, left: open, tooLate } = dueOf(touched, { ...calendar, lateMs }, nowMs);
      const counted = starts.filter((start) => start >= floorMs);
      const late = tooLate + starts.length - counted.length;
      if (counted.length === 0 && late === 0) continue; // nothing of it is over
      if (totalOf(due) > 0 && totalOf(due) + counted.length > TOGETHER_MAX) break;
      const ofStream = due.get(touched.stream) ?? new Set();
      due.set(touched.stream, ofStream);
      for (const start of counted) ofStream.add(start);
      this.counts.tooLate += late;
      done.push(touched);
      if (open !== null) left.push(open);
    }
    for (const [stream, starts] of due) {
      await this.countStream(stream, [...starts], signal).catch((error) => {
        if (signal.aborted) throw error;
        failures.set(stream, error); // the others go on
      });
    }
    const isCounted = ({ stream }: Touched) => !failures.has(stream);
    book.settle(done.filter(isCounted), left.filter(isCounted));
    return done.length > 0;
  }

  private async countStream(name: string, starts: readonly number[], signal: AbortSignal) {
    const stream = this.options.streams.find((one) => one.stream === name);
    if (stream === undefined) return; // its windows are configured no more
    for (const some of togetherOf(starts, this.options.calendar.everyMs)) {
      const startedMs = performance.now();
      const counted = await stream.count(some, signal);
      this.options.observe?.((performance.now() - startedMs) / 1_000, some.length);
      for (const window of counted) await this.keep(name, window);
    }
  }

  private async keep(stream: string, { startMs, feeds, uncounted, cut }: Counted) {
    const { queue, counted, calendar, clock } = this.options;
    const revisionMin = revisionMinOf(startMs, calendar, clock());
    this.counts.cut += cut.length;
    for (const [feed, events] of feeds) {
      const before = await queue.latest(feed, stream, startMs);
      const next = nextRevision(
        before,
        { feed, stream, startMs, events, revisionMin },
        uncounted,
      );
      if (next === null) continue;
      await queue.add(next);
      this.counts.revisions++;
      counted?.(next, before);
    }
  }
}

/** Newest first; those that lie far apart have few files in common, and each would read those of all. */
function togetherOf(starts: readonly number[], everyMs: number): number[][] {
  const groups: number[][] = [];
  for (const start of starts.toSorted((a, b) => b - a)) {
    const last = groups.at(-1);
    const isNear = last?.[0] !== undefined && last[0] - start < TOGETHER_MAX * everyMs;
    if (last !== undefined && isNear && last.length < TOGETHER_MAX) last.push(start);
    else groups.push([start]);
  }
  return groups;
}

function totalOf(due: ReadonlyMap<string, ReadonlySet<number>>): number {
  return [...due.values()].reduce((sum, { size }) => sum + size, 0);
}
