/** Counts rows by the hour of their time. */

/** A stretch of time, microseconds since 1970, both inclusive. */
export interface Stretch {
  fromUs: number;
  toUs: number;
}

export interface HourCount {
  /** UTC, in hours since 1970. */
  index: number;
  rows: number;
  tsMinUs: number;
  tsMaxUs: number;
  /** Not 0: a row is of this second of the hour. */
  seconds: Uint8Array;
}

const HOUR_US = 3_600_000_000;
const SECOND_US = 1_000_000;
const HOUR_SECONDS = 3_600;

/** Seconds without rows that are no gap between two stretches: a part has some hundred at most. */
const GAP_SECONDS = 10;

/** Where in its hour there are rows: one late row must not touch all that lies behind it. */
export function stretchesOf({ index, seconds }: HourCount): Stretch[] {
  const stretches: Stretch[] = [];
  for (let second = seconds.indexOf(1); second >= 0; second = seconds.indexOf(1, second + 1)) {
    const fromUs = index * HOUR_US + second * SECOND_US;
    const last = stretches.at(-1);
    const toUs = fromUs + SECOND_US - 1;
    if (last !== undefined && fromUs - last.toUs <= GAP_SECONDS * SECOND_US) last.toUs = toUs;
    else stretches.push({ fromUs, toUs });
  }
  return stretches;
}

export class HourCounts {
  private readonly counts = new Map<number, HourCount>();
  /** Of the row before: neighbours mostly share theirs. */
  private last: HourCount | null = null;

  /** Counts a row at `tsUs`, microseconds since 1970, and returns its hour. */
  add(tsUs: number): HourCount {
    const index = Math.floor(tsUs / HOUR_US);
    const count = this.last?.index === index ? this.last : this.countOf(index, tsUs);
    count.rows++;
    if (tsUs < count.tsMinUs) count.tsMinUs = tsUs;
    if (tsUs > count.tsMaxUs) count.tsMaxUs = tsUs;
    count.seconds[Math.floor((tsUs - index * HOUR_US) / SECOND_US)] = 1;
    return this.last = count;
  }

  /** By hour. */
  entries(): HourCount[] {
    return [...this.counts.values()].sort((a, b) => a.index - b.index);
  }

  clear(): void {
    this.counts.clear();
    this.last = null;
  }

  private countOf(index: number, tsUs: number): HourCount {
    const known = this.counts.get(index);
    if (known !== undefined) return known;
    const seconds = new Uint8Array(HOUR_SECONDS);
    const count = { index, rows: 0, tsMinUs: tsUs, tsMaxUs: tsUs, seconds };
    this.counts.set(index, count);
    return count;
  }
}
