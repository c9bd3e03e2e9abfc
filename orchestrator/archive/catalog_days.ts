/** How far the catalogs of archives have come: which days have a manifest. */
import {
  chunkFolder,
  dateOfManifest,
  manifestFolder,
} from "../../protocol/archive/catalog/catalog_keys.ts";
import { ChangesReader } from "../../protocol/archive/catalog/changed_days.ts";
import { touchesDay } from "../../protocol/archive/archived_hours.ts";
import type { ListedObject, ObjectStore } from "../../protocol/archive/object_store.ts";
import { matchesKnown } from "../../protocol/selector/selector.ts";
import type { ChunkFilter } from "./archived_chunks.ts";

/** Of one stream and region in one archive. */
export interface CatalogDays {
  store: ObjectStore;
  stream: string;
  region: string;
  /** That have chunks. */
  dates: string[];
  manifests: ListedObject[];
  /** Days that somebody has changed late: they are listed until a manifest knows of it. */
  changed: string[];
}

/** Archive by archive, in the order of streams and regions. Hosts are not looked at. */
export async function* catalogDays(
  stores: readonly ObjectStore[],
  { stream: only, selector, range }: ChunkFilter,
  signal: AbortSignal,
): AsyncGenerator<CatalogDays> {
  const isWanted = (date: string | null) => date !== null && touchesDay(date, range);
  for (const store of stores) {
    for (const stream of await namesIn(store, { folder: "", key: "stream" }, signal)) {
      if (only !== undefined && stream !== only) continue;
      const regions = await namesIn(store, { folder: `stream=${stream}/`, key: "region" }, signal);
      for (const region of regions) {
        if (selector !== undefined && matchesKnown(selector, { region }) === false) continue;
        const of = { stream, region };
        const dates = await namesIn(store, { folder: chunkFolder(of), key: "date" }, signal);
        const manifests = await Array.fromAsync(store.list(manifestFolder(of), signal));
        const changes = (await new ChangesReader(store, region).read(signal)).all();
        yield {
          ...{ store, stream, region },
          dates: dates.filter(isWanted),
          manifests: manifests.filter(({ key }) => isWanted(dateOfManifest(key))),
          changed: changes.filter((day) => day.stream === stream).map(({ date }) => date)
            .filter(isWanted),
        };
      }
    }
  }
}

async function namesIn(
  store: ObjectStore,
  { folder, key }: { folder: string; key: string },
  signal: AbortSignal,
): Promise<string[]> {
  const folders = await store.folders(folder, signal);
  return folders.flatMap((name) =>
    name.startsWith(`${key}=`) ? [name.slice(key.length + 1, -1)] : []
  );
}
