/** Byte ranges of an object: joined where that saves requests, cut where they are too long. */

/** Half-open, in bytes. */
export interface ByteRange {
  start: number;
  end: number;
}

/** A request takes as long as this much more. */
const GAP_BYTES_MAX = 64 * 1024;

/** Of the wanted bytes: what may be read beside them, so that there are fewer requests. */
const WASTE = 0.05;

/** One request's answer is held in memory. */
const RANGE_BYTES_MAX = 2 * 2 ** 20;

/** Their lengths together. */
export function totalBytes(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * The requests for some ranges, in order: the smallest gaps are read too, as long as they are few
 * bytes together.
 */
export function requestsFor(wanted: readonly ByteRange[]): ByteRange[] {
  const united = unite(wanted);
  let budget = totalBytes(united) * WASTE;
  const gaps = united.slice(1).map(({ start }, i) => start - (united[i]?.end ?? 0));
  const filled = new Set<number>();
  const bySize = [...gaps.keys()].sort((a, b) => (gaps[a] ?? 0) - (gaps[b] ?? 0));
  for (const i of bySize) {
    const gap = gaps[i] ?? 0;
    if (gap > GAP_BYTES_MAX || gap > budget) break;
    budget -= gap;
    filled.add(i);
  }
  const joined: ByteRange[] = [];
  for (const [i, range] of united.entries()) {
    const last = joined.at(-1);
    if (last !== undefined && filled.has(i - 1)) last.end = range.end;
    else joined.push({ ...range });
  }
  return joined.flatMap(cut);
}

/** The same bytes in ranges that neither touch nor overlap, in order. */
export function unite(ranges: readonly ByteRange[]): ByteRange[] {
  const united: ByteRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = united.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else if (end > start) united.push({ start, end });
  }
  return united;
}

/** What of some ranges is in none of others. @param present neither touch nor overlap, in order */
export function missingFrom(
  wanted: readonly ByteRange[],
  present: readonly ByteRange[],
): ByteRange[] {
  return unite(wanted).flatMap(({ start, end }) => {
    const missing: ByteRange[] = [];
    let at = start;
    for (const one of present) {
      if (one.end <= at || one.start >= end) continue;
      if (one.start > at) missing.push({ start: at, end: one.start });
      at = one.end;
    }
    if (at < end) missing.push({ start: at, end });
    return missing;
  });
}

function cut({ start, end }: ByteRange): ByteRange[] {
  const count = Math.ceil((end - start) / RANGE_BYTES_MAX);
  const length = Math.ceil((end - start) / count);
  return Array.from({ length: count }, (_, i) => {
    const from = start + i * length;
    return { start: from, end: Math.min(end, from + length) };
  });
}
