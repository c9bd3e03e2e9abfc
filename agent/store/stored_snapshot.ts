/** Which stored files a query needs, and the snapshot that lends them. */
import { join } from "node:path";
import type { Catalog } from "./catalog.ts";
import type { Snapshot, SnapshotTable } from "./snapshot.ts";

interface FilesRequest {
  catalog: Catalog;
  dataDir: string;
  name: string;
  /** ISO 8601, half-open; null is unbounded. */
  range: { since: string | null; until: string | null };
}

/** The parts and chunks of a table that touch a range. */
export function filesOf({ catalog, dataDir, name, range }: FilesRequest): SnapshotTable {
  const files = catalog.files(name, {
    sinceUs: range.since === null ? Number.MIN_SAFE_INTEGER : Date.parse(range.since) * 1_000,
    untilUs: range.until === null ? Number.MAX_SAFE_INTEGER : Date.parse(range.until) * 1_000,
  });
  return {
    files: files.map((file) => join(dataDir, file.path)),
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

/** Wraps what a snapshot lends and the call that gives it back. */
export function snapshotOf(
  lent: Omit<Snapshot, typeof Symbol.asyncDispose>,
  release: () => Promise<void>,
): Snapshot {
  return { ...lent, [Symbol.asyncDispose]: release };
}
