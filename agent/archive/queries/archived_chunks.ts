/** The region's archive as queries see it: which chunks they have to read, and these as tables. */
import type { ChunkReference, ListedChunk } from "../../../protocol/archive/archive_piece.ts";
import { parseChunkPath } from "../../../protocol/chunk_path.ts";
import { ObjectStoreError, readObject } from "../../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import type { ArchiveUse } from "../../../protocol/messages.ts";
import { REJECTS } from "../../../protocol/streams.ts";
import type { ArchiveScope, QueryArchive } from "../../store/query_archive.ts";
import type {
  FormerChunk,
  Snapshot,
  SnapshotRequest,
  SnapshotSource,
} from "../../store/snapshot.ts";
import { lendTable } from "../reads/archived_tables.ts";
import type { ArchivedTable } from "../reads/archived_tables.ts";
import type { CachedObject, ChunkCache } from "../reads/chunk_cache.ts";
import { listChunks } from "./chunk_listing.ts";
import { retried } from "../reads/retried.ts";
import { scopeFilter } from "./scope.ts";
import type { Onlooker } from "./scope.ts";

/** A footer and one request for columns, where nothing is known of a chunk. */
const USUAL_REQUESTS = 2;

export interface ArchivedChunksOptions {
  store: ObjectStore;
  cache: ChunkCache;
  self: Onlooker;
}

/** The store is its own: it goes with it. */
export class ArchivedChunks implements QueryArchive, AsyncDisposable {
  constructor(private readonly options: ArchivedChunksOptions) {}

  get host(): string {
    return this.options.self.host;
  }

  async list(scope: ArchiveScope, signal: AbortSignal): Promise<ListedChunk[]> {
    const { store, self } = this.options;
    const objects = await listChunks(store, scope, self, signal);
    return objects.map(({ key, bytes, etag }) => {
      return { key, bytes, etag, rows: null, readBytes: bytes, requests: USUAL_REQUESTS };
    });
  }

  open(
    references: readonly ChunkReference[],
    scope: ArchiveScope,
    signal: AbortSignal,
    isLeftOut?: (chunk: FormerChunk) => boolean,
  ): { source: SnapshotSource; region: string } {
    const { store, self } = this.options;
    const inScope = scopeFilter(scope, self);
    const chunks = references.map(([key, bytes, etag]) => {
      const place = inScope(key);
      if (place !== null) {
        const listed = { key, bytes, etag, chunk: place.chunk, isLeftOut };
        return { place, object: objectOf(store, listed, signal) };
      }
      throw new LogvendError("not_permitted", `${key} is not of what was asked and signed`);
    });
    const regions = new Set(chunks.map(({ place }) => place.region));
    if (regions.size > 1) {
      throw new LogvendError("usage", "Chunks of several regions were asked for");
    }
    const source: SnapshotSource = {
      tables: () => [],
      snapshot: (request) =>
        this.snapshot(request, Map.groupBy(chunks, ({ place }) => place.stream)),
    };
    return { source, region: chunks[0]?.place.region ?? self.region };
  }

  /** Removes what is held of chunks that an erasure may concern. */
  async forget({ stream, since, until }: { stream: string; since: string; until: string }) {
    await this.options.cache.drop((key) => {
      const place = parseChunkPath(key);
      return place === null || ([stream, REJECTS].includes(place.stream) &&
        place.hour >= since.slice(0, 13) && place.hour <= until.slice(0, 13));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.options.store[Symbol.asyncDispose]();
  }

  private async snapshot(
    { tables: names, since, until, needs = {} }: SnapshotRequest,
    chunks: ReadonlyMap<string, readonly { object: CachedObject }[]>,
  ): Promise<Snapshot> {
    const { cache } = this.options;
    const lent = new Map<string, ArchivedTable>();
    const release = () => lent.forEach((table) => table.release());
    try {
      for (const name of names) {
        const objects = (chunks.get(name) ?? []).map(({ object }) => object);
        const need = needs[name];
        if (need === undefined) throw new Error(`nothing is known of what ${name} is needed for`);
        const request = { cache, name, chunks: objects, since, until, needs: need };
        lent.set(name, await lendTable(request));
      }
    } catch (error) {
      release();
      throw error;
    }
    return {
      tables: new Map([...lent].map(([name, { table }]) => [name, table])),
      rejects: 0,
      gaps: { count: 0, bytes: 0 },
      lost: { files: 0, rows: 0 },
      archive: sumOf([...lent.values()].map(({ use }) => use)),
      unread: [...lent.values()].flatMap(({ unread }) => unread),
      [Symbol.asyncDispose]: () => Promise.resolve(release()),
    };
  }
}

function sumOf(uses: readonly ArchiveUse[]): ArchiveUse {
  const total = (field: keyof ArchiveUse) => uses.reduce((sum, use) => sum + use[field], 0);
  return { chunks: total("chunks"), requests: total("requests"), bytes: total("bytes") };
}

/** Reads nothing but the version that was listed. */
function objectOf(
  store: ObjectStore,
  listed: Omit<CachedObject, "read">,
  signal: AbortSignal,
): CachedObject {
  const { key, etag } = listed;
  return {
    ...listed,
    async read(range) {
      try {
        const read = () => readObject(store, key, { range, ifMatch: etag }, signal);
        return await retried(read, { signal });
      } catch (error) {
        if (!(error instanceof ObjectStoreError)) throw error;
        if (error.problem !== "changed" && error.problem !== "missing") throw error;
        const what = error.problem === "changed" ? "was replaced" : "was removed";
        const text = `it ${what} while it was read: ask again`;
        throw new ObjectStoreError(error.problem, text, error.short, { cause: error });
      }
    },
  };
}
