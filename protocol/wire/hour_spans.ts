/** Hours as stretches: what answers lack. */
import { z } from "zod";

const HOUR_MS = 3_600_000;

/** Whole hours, half-open, ISO 8601. */
export const HourSpan = z.object({ from: z.iso.datetime(), until: z.iso.datetime() });
export type HourSpan = z.infer<typeof HourSpan>;

/** `2026-11-22T19` and the like, in any order, as stretches. */
export function spansOf(hours: readonly string[]): HourSpan[] {
  const spans: HourSpan[] = [];
  for (const ms of [...new Set(hours.map(startMs))].sort((a, b) => a - b)) {
    const from = new Date(ms).toISOString();
    const until = new Date(ms + HOUR_MS).toISOString();
    const last = spans.at(-1);
    if (last !== undefined && last.until === from) last.until = until;
    else spans.push({ from, until });
  }
  return spans;
}

function startMs(hour: string): number {
  return Date.parse(`${hour}:00:00Z`);
}
