/** Counts rows by the hour of their time. */

export interface HourCount {
  /** UTC, in hours since 1970. */
  index: number;
  rows: number;
  tsMinUs: number;
  tsMaxUs: number;
}

const HOUR_US = 3_600_000_000;

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
    const count = { index, rows: 0, tsMinUs: tsUs, tsMaxUs: tsUs };
    this.counts.set(index, count);
    return count;
  }
}
