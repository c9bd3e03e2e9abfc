/** Which windows a stretch of event time lies in, and which of them may be counted by now. */
import type { KnownTouched, Touched } from "../store/database/touched.ts";

/** When windows begin, when they close, and for how long later rows still change them. */
export interface Calendar {
  /** Their length: they begin at its multiples since 1970. */
  everyMs: number;
  /** After its end a window waits so long for its last rows. */
  graceMs: number;
  /** Windows that ended longer ago are left as they are. */
  lateMs: number;
}

/** What is to be done about a stretch. */
export interface Due {
  /** Starts of closed windows, milliseconds, ascending. */
  starts: number[];
  /** What lies in windows that are still open. */
  left: Touched | null;
  /** Windows that are too old to be counted again. */
  tooLate: number;
}

/** @param nowMs by the wall clock */
export function dueOf(
  touched: KnownTouched,
  { everyMs, graceMs, lateMs }: Calendar,
  nowMs: number,
): Due {
  const startOf = (ms: number) => Math.floor(ms / everyMs) * everyMs;
  const first = startOf(touched.fromUs / 1_000);
  const last = startOf(touched.toUs / 1_000);
  const closedMax = startOf(nowMs - graceMs) - everyMs;
  const oldest = startOf(nowMs - lateMs);
  const starts: number[] = [];
  for (let start = Math.max(first, oldest); start <= Math.min(last, closedMax); start += everyMs) {
    starts.push(start);
  }
  const openUs = (closedMax + everyMs) * 1_000;
  const left = last > closedMax
    ? { stream: touched.stream, fromUs: Math.max(touched.fromUs, openUs), toUs: touched.toUs }
    : null;
  return {
    starts,
    left,
    tooLate: Math.max(0, (Math.min(oldest, last + everyMs) - first) / everyMs),
  };
}

/**
 * What the revision of a window that is counted now is at least: the seconds since it closed, and
 * one. So who has lost what was said before still says something newer, and not the same number again.
 */
export function revisionMinOf(
  startMs: number,
  { everyMs, graceMs }: Pick<Calendar, "everyMs" | "graceMs">,
  nowMs: number,
): number {
  return 1 + Math.max(0, Math.floor((nowMs - (startMs + everyMs + graceMs)) / 1_000));
}
