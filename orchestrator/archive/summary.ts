/** Sums of what lies in archives, by day and in all. Pure. */
import type { ArchivedChunk, Stranger } from "./archived_chunks.ts";

/** Chunks of one stream and region: of one day, or of all. */
export interface ChunkSum {
  stream: string;
  region: string;
  /** UTC; null: of all days. */
  date: string | null;
  hosts: number;
  chunks: number;
  bytes: number;
  /** `2026-11-22T19`, both inclusive. */
  first_hour: string;
  last_hour: string;
}

/** What a listing adds up to. */
export interface ArchiveSummary {
  sums: ChunkSum[];
  /** Objects that are no chunks: as `url/key`, the first of them. */
  strangers: { count: number; examples: string[] };
}

const EXAMPLES_MAX = 5;

/** @param byDay one sum a day, else one for all */
export async function summarize(
  found: AsyncIterable<ArchivedChunk | Stranger>,
  byDay: boolean,
): Promise<ArchiveSummary> {
  const sums = new Map<string, { sum: ChunkSum; hosts: Set<string> }>();
  const strangers = { count: 0, examples: [] as string[] };
  for await (const { store, object, place } of found) {
    if (place === null) {
      strangers.count++;
      if (strangers.examples.length < EXAMPLES_MAX) {
        strangers.examples.push(`${store.url}/${object.key}`);
      }
      continue;
    }
    const { stream, region, hour, host } = place;
    const date = byDay ? hour.slice(0, 10) : null;
    const key = JSON.stringify([stream, region, date]);
    const known = sums.get(key) ?? {
      sum: {
        stream,
        region,
        date,
        hosts: 0,
        chunks: 0,
        bytes: 0,
        first_hour: hour,
        last_hour: hour,
      },
      hosts: new Set<string>(),
    };
    sums.set(key, known);
    known.hosts.add(host);
    const { sum } = known;
    sum.hosts = known.hosts.size;
    sum.chunks++;
    sum.bytes += object.bytes;
    if (hour < sum.first_hour) sum.first_hour = hour;
    if (hour > sum.last_hour) sum.last_hour = hour;
  }
  return { sums: [...sums.values()].map(({ sum }) => sum), strangers };
}
