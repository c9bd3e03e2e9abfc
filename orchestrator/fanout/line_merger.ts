/** Lines of many hosts in the order of their times, as far as a moment's waiting can bring it. */
import { LineBudget } from "../../protocol/line_budget.ts";
import type { TailMessage } from "../../protocol/wire/messages.ts";

/** A line waits so long for earlier ones of other hosts. */
const WINDOW_MS = 1_000;

/** Lines that wait: for the window, or for a reader that is slow. */
const WAITING_MAX = 10_000;

/** A line, and whose it is. */
export interface HostLine {
  host: string;
  /** Microseconds since 1970, UTC. */
  tsUs: number;
  line: string;
}

interface Waiting extends HostLine {
  sinceMs: number;
}

export interface LineMergerOptions {
  /** Lines a second that leave at most. */
  rate: number;
  now: () => number;
}

export class LineMerger {
  /** Lines so far that were too many. */
  leftOut = 0;
  private readonly budget: LineBudget;
  private waiting: Waiting[] = [];

  constructor(private readonly options: LineMergerOptions) {
    this.budget = new LineBudget(options.rate, options.now);
  }

  /** Takes lines of one host, in its order. */
  add(host: string, lines: TailMessage["lines"]): void {
    const sinceMs = this.options.now();
    const room = Math.max(0, WAITING_MAX - this.waiting.length);
    for (const { ts_us, line } of lines.slice(0, room)) {
      this.waiting.push({ host, tsUs: ts_us, line, sinceMs });
    }
    this.leftOut += Math.max(0, lines.length - room);
  }

  /** The lines that have waited long enough, and all before them in time. */
  take(): HostLine[] {
    const dueMs = this.options.now() - WINDOW_MS;
    const untilUs = this.waiting.reduce(
      (last, { sinceMs, tsUs }) => sinceMs <= dueMs ? Math.max(last, tsUs) : last,
      -Infinity,
    );
    return this.release(({ tsUs }) => tsUs <= untilUs);
  }

  /** All that wait: there will be no more. */
  rest(): HostLine[] {
    return this.release(() => true);
  }

  private release(isDue: (line: Waiting) => boolean): HostLine[] {
    const due = this.waiting.filter(isDue);
    if (due.length === 0) return [];
    this.waiting = this.waiting.filter((line) => !isDue(line));
    const shown = this.budget.take(due.length);
    this.leftOut += due.length - shown;
    return due.sort((a, b) => a.tsUs - b.tsUs).slice(0, shown);
  }
}
