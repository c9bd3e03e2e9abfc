/** How many chunks an archive has of hosts, hour by hour, whatever is in them: by runs of like hours. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Of a day, more chunks of one hour are not told apart. */
const COUNT_MAX = 35;

/** Hours one after the other with as many chunks of a stream of a host each. */
export interface HourRun {
  host: string;
  stream: string;
  /** When the first begins. */
  fromMs: number;
  hours: number;
  chunks: number;
}

/** A digit to base 36 for each hour of a day. @param counts of 24 hours; absent: none */
export function dayCounts(counts: readonly (number | undefined)[]): string {
  return Array.from(
    { length: 24 },
    (_, hour) => Math.min(COUNT_MAX, counts[hour] ?? 0).toString(36),
  )
    .join("");
}

/** The last hour of a day that has a chunk; null: none has. */
export function lastHour(day: string): number | null {
  const last = day.search(/0*$/) - 1;
  return last < 0 ? null : last;
}

/** Hours of a day with as many chunks each: most days are one such stretch. */
const ALIKE = /(.)\1*/g;

/** Gathers days, and gives them as runs. */
export class ArchivedHours {
  /** By host and stream: days in no order. */
  private readonly days = new Map<string, { dayMs: number; counts: string }[]>();

  /** A day of a host. Half-open bounds cut it to the hours that touch them; null is unbounded. */
  add(
    of: { host: string; stream: string; dayMs: number },
    counts: string,
    { sinceMs, untilMs }: { sinceMs: number | null; untilMs: number | null },
  ) {
    const { host, stream, dayMs } = of;
    const from = sinceMs === null ? 0 : Math.floor((sinceMs - dayMs) / HOUR_MS);
    const end = untilMs === null ? 24 : Math.ceil((untilMs - dayMs) / HOUR_MS);
    const kept = from <= 0 && end >= 24
      ? counts
      : counts.replaceAll(/./g, (digit, at: number) => at >= from && at < end ? digit : "0");
    if (lastHour(kept) === null) return;
    const key = `${host}\n${stream}`;
    const days = this.days.get(key) ?? [];
    days.push({ dayMs, counts: kept });
    this.days.set(key, days);
  }

  /** In the order of time for each host and stream. */
  runs(): HourRun[] {
    return [...this.days].flatMap(([key, days]) => {
      const [host = "", stream = ""] = key.split("\n");
      const runs: HourRun[] = [];
      for (const { dayMs, counts } of days.toSorted((a, b) => a.dayMs - b.dayMs)) {
        for (const { 0: { length: hours }, 1: digit = "0", index } of counts.matchAll(ALIKE)) {
          const chunks = parseInt(digit, 36);
          if (chunks === 0) continue;
          const fromMs = dayMs + index * HOUR_MS;
          const last = runs.at(-1);
          const isNext = last?.chunks === chunks && last.fromMs + last.hours * HOUR_MS === fromMs;
          if (isNext) last.hours += hours;
          else runs.push({ host, stream, fromMs, hours, chunks });
        }
      }
      return runs;
    });
  }
}

/** Until when there are chunks. */
export function endOf(runs: readonly HourRun[]): number | null {
  return runs.length === 0
    ? null
    : Math.max(...runs.map(({ fromMs, hours }) => fromMs + hours * HOUR_MS));
}

/** How many chunks there are. */
export function chunksIn(runs: readonly HourRun[]): number {
  return runs.reduce((sum, { hours, chunks }) => sum + hours * chunks, 0);
}

/** Stream and hour of each chunk. */
export function hoursOf(runs: readonly HourRun[]): { stream: string; hour: string }[] {
  return runs.flatMap(({ stream, fromMs, hours, chunks }) =>
    Array.from({ length: hours * chunks }, (_, i) => {
      const startMs = fromMs + Math.floor(i / chunks) * HOUR_MS;
      return { stream, hour: new Date(startMs).toISOString().slice(0, 13) };
    })
  );
}

/** When a day begins. */
export function dayMsOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}

/** Whether a half-open range, ISO 8601, null for unbounded, has a part of a day. */
export function touchesDay(
  date: string,
  { since, until }: { since: string | null; until: string | null },
): boolean {
  const startMs = dayMsOf(date);
  return (until === null || startMs < Date.parse(until)) &&
    (since === null || startMs + DAY_MS > Date.parse(since));
}
