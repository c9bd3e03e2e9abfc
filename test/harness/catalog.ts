/** The catalog of an archive over a store of a test's. */
import { catalogOf } from "../../agent/archive/catalog/open_catalog.ts";
import type { CatalogOptions, RegionCatalog } from "../../agent/archive/catalog/open_catalog.ts";
import type { ChunkCache } from "../../agent/archive/reads/chunk_cache.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";

/** As the agent of web-1 has it. Its folder is not there until it makes manifests. */
export function testCatalog(
  store: ObjectStore,
  cache: ChunkCache,
  more: Partial<CatalogOptions> = {},
): RegionCatalog {
  return catalogOf({
    ...{ store, cache, host: "web-1", region: "eu", everyMs: 3_600_000, index: new Map() },
    folder: "/nowhere",
    clock: Date.now,
    ...more,
  });
}
