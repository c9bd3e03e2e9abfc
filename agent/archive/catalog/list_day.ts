/** The chunks of a day that count, by what lies in the archive: everything about a day begins here. */
import { chunkFolder } from "../../../protocol/archive/catalog/catalog_keys.ts";
import type { CatalogDay } from "../../../protocol/archive/catalog/catalog_keys.ts";
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import { counting } from "../../../protocol/chunk/chunk_id.ts";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import { retried } from "../reads/retried.ts";

/** A chunk that is there. */
export interface DayChunk {
  place: ChunkPlace;
  object: ListedObject;
}

/** By key, in the order of keys. @throws {ObjectStoreError} */
export async function listDay(
  store: ObjectStore,
  day: CatalogDay,
  signal: AbortSignal,
): Promise<DayChunk[]> {
  const folder = `${chunkFolder(day)}date=${day.date}/`;
  const objects = await retried(() => Array.fromAsync(store.list(folder, signal)), { signal });
  return counting(objects).flatMap((object) => {
    const place = parseChunkPath(object.key);
    return place === null ? [] : [{ place, object }];
  });
}

/** The days that a stream has chunks of. @throws {ObjectStoreError} */
export async function datesOf(
  store: ObjectStore,
  of: Omit<CatalogDay, "date">,
  signal: AbortSignal,
): Promise<string[]> {
  const folders = await retried(() => store.folders(chunkFolder(of), signal), { signal });
  return folders.flatMap((folder) => /^date=(\d{4}-\d\d-\d\d)\/$/.exec(folder)?.[1] ?? []);
}
