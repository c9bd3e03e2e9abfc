/** Lends sealed chunks by name, for questions to the archive: what is here need not be fetched. */
import { join } from "node:path";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import type { Catalog, StoredFile } from "../database/catalog.ts";
import type { Leases } from "./leases.ts";
import type { Snapshot, SnapshotTable } from "../snapshot.ts";
import { snapshotOf } from "./stored_snapshot.ts";

export interface LendRequest {
  catalog: Catalog;
  leases: Leases;
  dataDir: string;
  tables: readonly string[];
  /** In the data folder. */
  paths: readonly string[];
}

/** The chunks that are here by now, of those that were asked for. */
export function chunksHere(catalog: Catalog, paths: readonly string[]): StoredFile[] {
  return paths.flatMap((path) => {
    const file = catalog.file(parseChunkPath(path)?.chunk ?? "");
    return file?.kind === "chunk" && file.path === path ? [file] : [];
  });
}

/** Nothing is awaited in it: what is found is lent. */
export function lendChunks({ catalog, leases, dataDir, tables, paths }: LendRequest): Snapshot {
  const here = Map.groupBy(chunksHere(catalog, paths), ({ stream }) => stream);
  const lent = tables.map((name): [string, SnapshotTable] => {
    const files = here.get(name) ?? [];
    return [name, {
      files: files.map(({ path }) => join(dataDir, path)),
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      chunkIds: files.map(({ id }) => id),
      shape: files.length === 0 ? undefined : catalog.shape(name) ?? undefined,
    }];
  });
  const release = leases.take(lent.flatMap(([, { files }]) => files));
  const nothing = { rejects: 0, gaps: { count: 0, bytes: 0 }, lost: { files: 0, rows: 0 } };
  return snapshotOf({ tables: new Map(lent), ...nothing }, release);
}
