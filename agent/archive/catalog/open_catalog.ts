/** The catalog of a region's archive as one agent has it, from its configuration. */
import { join } from "node:path";
import { ChangedDays, ChangesReader } from "../../../protocol/archive/catalog/changed_days.ts";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { openObjectStore } from "../../../protocol/archive/open_object_store.ts";
import type { AgentConfig } from "../../config.ts";
import { ChunkCache } from "../reads/chunk_cache.ts";
import { CatalogKeeper } from "./keeper.ts";
import { ManifestShelf } from "./shelf.ts";

/** A query waits: a store that says nothing for so long is asked again (reads/retried.ts). */
const STALL_MS = 5_000;

/** The store is its own: it goes with it. */
export interface RegionCatalog extends AsyncDisposable {
  store: ObjectStore;
  cache: ChunkCache;
  shelf: ManifestShelf;
  changes: ChangesReader;
  /** What this host says of days. */
  own: ChangedDays;
  /** Columns by stream, in lower case. */
  index: ReadonlyMap<string, readonly string[]>;
  keeper: CatalogKeeper;
}

/** Whose catalog, and how it is kept. */
export interface CatalogOptions extends Pick<RegionCatalog, "store" | "cache" | "index"> {
  host: string;
  region: string;
  everyMs: number;
  /** Where manifests are written before they are stored. */
  folder: string;
  clock: () => number;
}

/** Null without an archive. @throws {LogvendError} bad_config */
export async function openCatalog(config: AgentConfig): Promise<RegionCatalog | null> {
  const { archive, host, region, data_dir: dataDir, streams } = config;
  if (archive === undefined) return null;
  const store = await openObjectStore(archive, { stallMs: STALL_MS });
  const folder = join(dataDir, "archive-cache"); // workers read no other folder
  const cache = await ChunkCache.open({ folder, quotaBytes: archive.cache });
  const index = new Map(
    streams.map(({ name, index }) => [name, index.map((column) => column.toLowerCase()).sort()]),
  );
  return catalogOf({
    ...{ store, cache, index, host, region, everyMs: archive.every },
    folder: join(dataDir, "open"), // a start empties it
    clock: Date.now,
  });
}

/** Over a store, which goes with it. */
export function catalogOf(options: CatalogOptions): RegionCatalog {
  const { store, cache, index, host, region } = options;
  const parts = {
    ...{ store, cache, index },
    shelf: new ManifestShelf(store, cache),
    changes: new ChangesReader(store, region),
    own: new ChangedDays(store, region, `host=${host}`),
  };
  const keeper = new CatalogKeeper({ ...options, ...parts });
  return { ...parts, keeper, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}
