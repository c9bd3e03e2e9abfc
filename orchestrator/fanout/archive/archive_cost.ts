/** What reading the archive for a question takes, before anything is read. */
import type { ArchiveList } from "./archive_work.ts";

/** In dollars. */
export interface ArchivePrices {
  requests_1000: number;
  gigabyte: number;
}

export interface ArchiveCost {
  objects: number;
  /** How many there are in the range, of the selected hosts. */
  looked: number;
  requests: number;
  bytes: number;
  dollars: number;
  unread: ArchiveList["unread"];
}

/** At most: agents may have some of it already. */
export function archiveCost(
  { chunks, looked, unread }: ArchiveList,
  prices: ArchivePrices,
): ArchiveCost {
  const requests = chunks.reduce((sum, chunk) => sum + chunk.requests, 0);
  const bytes = chunks.reduce((sum, { readBytes }) => sum + readBytes, 0);
  const dollars = requests / 1_000 * prices.requests_1000 + bytes / 1e9 * prices.gigabyte;
  return { objects: chunks.length, looked, requests, bytes, dollars, unread };
}
