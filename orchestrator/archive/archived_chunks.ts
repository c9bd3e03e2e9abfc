/** What lies in archives: the chunks of hosts, streams, regions and hours, told from listings. */
import { supersededKeys } from "../../protocol/chunk/chunk_id.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../protocol/chunk/chunk_path.ts";
import type { ListedObject, ObjectStore } from "../../protocol/archive/object_store.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { matchesKnown } from "../../protocol/selector/selector.ts";
import type { Selector } from "../../protocol/selector/selector.ts";

/** Which chunks; absent: all. */
export interface ChunkFilter {
  stream?: string | undefined;
  /** By host and region. */
  selector?: Selector | undefined;
  /** Half-open, over whole hours that touch it; ISO 8601, null is unbounded. */
  range: { since: string | null; until: string | null };
  /** Also those whose rows are in another one, less the erased. @default false */
  isWhole?: boolean;
}

/** A chunk in an archive. */
export interface ArchivedChunk {
  store: ObjectStore;
  object: ListedObject;
  place: ChunkPlace;
  /** Its rows are in another one, less the erased: it does not count. */
  isSuperseded: boolean;
}

/** What is under `stream=` and is no chunk's name: nobody of ours put it there. */
export interface Stranger {
  store: ObjectStore;
  object: ListedObject;
  place: null;
}

/**
 * In the order of keys, archive by archive; without chunks that an erasure has written anew. Only the
 * wanted stream, and region if it is one, are listed.
 * @param onAway told of an archive that cannot be listed, before the next one is; without it that is thrown
 */
export async function* listArchive(
  stores: readonly ObjectStore[],
  filter: ChunkFilter,
  signal: AbortSignal,
  onAway?: (store: ObjectStore, error: LogvendError) => void,
): AsyncGenerator<ArchivedChunk | Stranger> {
  const { stream } = filter;
  const region = stream === undefined ? null : onlyRegion(filter.selector);
  const prefix = `stream=${stream === undefined ? "" : `${stream}/`}` +
    (region === null ? "" : `region=${region}/`);
  for (const store of stores) {
    try {
      for await (const { object, isSuperseded } of told(store.list(prefix, signal))) {
        const place = parseChunkPath(object.key);
        if (place === null) yield { store, object, place };
        else if (isSuperseded && filter.isWhole !== true) continue;
        else if (isWanted(place, filter)) yield { store, object, place, isSuperseded };
      }
    } catch (error) {
      signal.throwIfAborted();
      if (onAway === undefined || !(error instanceof LogvendError)) throw error;
      onAway(store, error);
    }
  }
}

/** Folder by folder: chunks of one origin lie in one. */
async function* told(objects: AsyncIterable<ListedObject>) {
  let folder = "";
  let ofFolder: ListedObject[] = [];
  for await (const object of objects) {
    const { key } = object;
    const next = key.slice(0, key.lastIndexOf("/"));
    if (next !== folder) {
      yield* toldOfFolder(ofFolder);
      folder = next;
      ofFolder = [];
    }
    ofFolder.push(object);
  }
  yield* toldOfFolder(ofFolder);
}

function toldOfFolder(objects: readonly ListedObject[]) {
  const superseded = supersededKeys(objects.map(({ key }) => key));
  return objects.map((object) => ({ object, isSuperseded: superseded.has(object.key) }));
}

/** The region that a selector asks for by name, if it is one. */
function onlyRegion(selector: Selector | undefined): string | null {
  if (selector?.kind === "and") {
    return selector.of.map(onlyRegion).find((region) => region !== null) ?? null;
  }
  if (selector?.kind !== "in" || selector.key !== "region") return null;
  const [region = null, ...others] = selector.values;
  return others.length === 0 ? region : null;
}

function isWanted(place: ChunkPlace, { stream, selector, range }: ChunkFilter): boolean {
  const { since, until } = range;
  const { host, region } = place;
  return (stream === undefined || place.stream === stream) &&
    (selector === undefined || matchesKnown(selector, { host, region }) === true) &&
    (since === null || place.hour >= since.slice(0, 13)) &&
    (until === null || `${place.hour}:00:00.000Z` < until);
}
