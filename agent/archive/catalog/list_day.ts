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
  const hours: DayChunk[][] = [];
  await lookThroughDay(store, day, { take: (chunks) => void hours.push(chunks), signal });
  return hours.flat();
}

/** Of a key below its day: `hour=19/`. */
const HOUR_LENGTH = 8;

/**
 * The same hour by hour: no more than one is held. A list that breaks off is begun anew; hours that
 * were taken are not given again.
 * @throws {ObjectStoreError} and what `take` throws
 */
export async function lookThroughDay(
  store: ObjectStore,
  day: CatalogDay,
  { take, signal }: { take: (chunks: DayChunk[]) => void; signal: AbortSignal },
): Promise<void> {
  const folder = `${chunkFolder(day)}date=${day.date}/`;
  let taken = ""; // the last hour of those
  await retried(async () => {
    const before = taken;
    let [hour, objects]: [string, ListedObject[]] = ["", []];
    const give = () => {
      if (hour <= before) return;
      take(chunksOf(objects));
      taken = hour;
    };
    for await (const object of store.list(folder, signal)) {
      const next = object.key.slice(folder.length, folder.length + HOUR_LENGTH);
      if (next !== hour) {
        give();
        [hour, objects] = [next, []];
      }
      objects.push(object);
    }
    give();
  }, { signal });
}

/** Chunks of one origin are of one hour. */
function chunksOf(objects: readonly ListedObject[]): DayChunk[] {
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
