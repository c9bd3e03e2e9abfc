/** How much hosts will have to read for a query, by what they say that they hold. */
import type { ChunkCatalog, Read } from "../fleet/chunk_catalog.ts";
import type { Host } from "../fleet/fleet.ts";

/** Sums over the hosts that are asked: of sealed chunks that touch the range, and of newer rows. */
export interface Reading {
  chunks: number;
  rows: number;
  bytes: number;
  /** Hosts of which not all is known: they may have more to read. */
  unknownHosts: number;
}

export function readingOf(catalog: ChunkCatalog, hosts: readonly Host[], read: Read): Reading {
  const reading: Reading = { chunks: 0, rows: 0, bytes: 0, unknownHosts: 0 };
  for (const { presence: { host, stats } } of hosts) {
    const { chunks, rows, bytes, isOpen, isKnown } = catalog.estimate(host, read);
    reading.chunks += chunks;
    reading.rows += rows + (isOpen ? stats?.open_rows ?? 0 : 0);
    reading.bytes += bytes + (isOpen ? stats?.open_bytes ?? 0 : 0);
    if (!isKnown) reading.unknownHosts++;
  }
  return reading;
}
