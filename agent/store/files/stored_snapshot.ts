/** Which stored files a query needs, and the snapshot that lends them. */
import { join } from "node:path";
import type { Catalog } from "../database/catalog.ts";
import type { Snapshot, SnapshotTable } from "../snapshot.ts";

/** ISO 8601, half-open; null is unbounded. */
interface TimeRange {
  since: string | null;
  until: string | null;
}

interface FilesRequest {
  catalog: Catalog;
  dataDir: string;
  name: string;
  range: TimeRange;
  /** Ids of files that must not be read. @default none */
  without?: ReadonlySet<string>;
}

/** The parts and chunks of a table that touch a range. */
export function filesOf(request: FilesRequest): SnapshotTable {
  const { catalog, dataDir, name, range, without } = request;
  const files = catalog.files(name, microseconds(range)).filter(({ id }) => !without?.has(id));
  const stored = files.map(({ path, kind, tsMinUs, tsMaxUs, rows, bytes, createdMs }) => {
    return { path: join(dataDir, path), kind, tsMinUs, tsMaxUs, rows, bytes, createdMs };
  });
  return {
    files: stored.map(({ path }) => path),
    stored,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    chunkIds: files.flatMap(({ kind, id }) => kind === "chunk" ? [id] : []),
    shape: catalog.shape(name) ?? undefined,
  };
}

/** A range in microseconds since 1970. */
export function microseconds({ since, until }: TimeRange): { sinceUs: number; untilUs: number } {
  return {
    sinceUs: since === null ? Number.MIN_SAFE_INTEGER : Date.parse(since) * 1_000,
    untilUs: until === null ? Number.MAX_SAFE_INTEGER : Date.parse(until) * 1_000,
  };
}

/** Wraps what a snapshot lends and the call that gives it back. */
export function snapshotOf(
  lent: Omit<Snapshot, typeof Symbol.asyncDispose>,
  release: () => Promise<void>,
): Snapshot {
  return { ...lent, [Symbol.asyncDispose]: release };
}
