/** The region's archive as queries see it: which chunks they have to read, and these as tables. */
import { getLogger } from "@logtape/logtape";
import type { ChunkReference } from "../../../protocol/archive/archive_piece.ts";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import { ObjectStoreError, readObject } from "../../../protocol/archive/object_store.ts";
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import type { ChangedDay } from "../../../protocol/archive/catalog/changed_days.ts";
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import type { ArchivedHost } from "../../../protocol/wire/archived_hosts.ts";
import type { ArchiveUse } from "../../../protocol/wire/messages.ts";
import { REJECTS } from "../../../protocol/schema/streams.ts";
import type { ArchiveScope, FoundChunks, QueryArchive } from "../../store/query_archive.ts";
import type {
  FormerChunk,
  Snapshot,
  SnapshotRequest,
  SnapshotSource,
} from "../../store/snapshot.ts";
import { lendTable } from "../reads/archived_tables.ts";
import type { ArchivedTable } from "../reads/archived_tables.ts";
import type { CachedObject } from "../reads/chunk_cache.ts";
import type { RegionCatalog } from "../catalog/open_catalog.ts";
import { archivedHosts } from "./archived_hosts.ts";
import { findBounds, findChunks } from "./find_chunks.ts";
import type { FindBounds } from "./find_chunks.ts";
import { retried } from "../reads/retried.ts";
import { scopeFilter } from "./scope.ts";
import type { Onlooker } from "./scope.ts";

/** How long saying that a manifest is wrong may take; whoever meets it next says so too. */
const DISTRUST_MS = 30_000;

/** More are not remembered: they are said again. */
const DISTRUSTED_MAX = 1_000;

/** How long finding out the hosts of an archive may take, and for how long it is not done again. */
const HOSTS_MS = 50_000;
const HOSTS_AGAIN_MS = 10_000;

export interface ArchivedChunksOptions {
  catalog: Pick<RegionCatalog, "store" | "cache" | "shelf" | "changes" | "own">;
  self: Onlooker;
  /** How many chunks questions may name at once. @default 400,000 */
  chunksMax?: number;
}

export class ArchivedChunks implements QueryArchive, AsyncDisposable {
  /** Versions of manifests and chunks that turned out to be others, or not to be there. */
  private readonly distrusted = new Set<string>();
  /** What is being said of them in the archive; no query waits for it. */
  private readonly saying = new Set<Promise<void>>();
  private readonly end = new AbortController();
  private readonly bounds: FindBounds;
  /** What is known of its hosts, or being found out. */
  private hostList: { sinceMs: number; hosts: Promise<ArchivedHost[]> } | null = null;

  constructor(private readonly options: ArchivedChunksOptions) {
    this.bounds = findBounds(options.chunksMax);
  }

  get host(): string {
    return this.options.self.host;
  }

  async find(scope: ArchiveScope, signal: AbortSignal): Promise<FoundChunks> {
    const { bounds, options: { catalog: { store, shelf, changes }, self } } = this;
    const onUnreadable = (day: ChangedDay, { key, etag }: ListedObject, { message }: Error) =>
      this.distrust(day, { id: `${key} ${etag}`, reason: message });
    return await findChunks(
      { store, shelf, changes, self, ...bounds, onUnreadable },
      scope,
      signal,
    );
  }

  /**
   * The hosts that the archive of the region has chunks of. Whoever asks again at once, or meanwhile, is
   * told the same. @throws {LogvendError}
   */
  hosts(): Promise<ArchivedHost[]> {
    const nowMs = Date.now();
    if (this.hostList !== null && nowMs - this.hostList.sinceMs < HOSTS_AGAIN_MS) {
      return this.hostList.hosts;
    }
    const signal = AbortSignal.any([AbortSignal.timeout(HOSTS_MS), this.end.signal]);
    const { options: { catalog, self } } = this;
    const hosts = archivedHosts({ ...catalog, self }, signal);
    this.hostList = { sinceMs: nowMs, hosts };
    return hosts;
  }

  open(
    references: readonly ChunkReference[],
    scope: ArchiveScope,
    signal: AbortSignal,
    isLeftOut?: (chunk: FormerChunk) => boolean,
  ): { source: SnapshotSource; region: string } {
    const { catalog: { store }, self } = this.options;
    const inScope = scopeFilter(scope, self);
    const chunks = references.map(([key, bytes, etag]) => {
      const place = inScope(key);
      if (place !== null) {
        const listed = { key, bytes, etag, place, isLeftOut };
        const onOther = () => {
          const day = { stream: place.stream, date: place.hour.slice(0, 10) };
          this.distrust(day, { id: `${key} ${etag}`, reason: `${key} is not what was listed` });
        };
        return { place, object: objectOf(store, listed, { signal, onOther }) };
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
    await this.options.catalog.cache.drop((key) => {
      const place = parseChunkPath(key);
      return place === null || ([stream, REJECTS].includes(place.stream) &&
        place.hour >= since.slice(0, 13) && place.hour <= until.slice(0, 13));
    });
  }

  /** A manifest may be why: until there is a new one, the day is listed. */
  private distrust(day: ChangedDay, { id, reason }: { id: string; reason: string }) {
    if (this.distrusted.has(id)) return;
    if (this.distrusted.size >= DISTRUSTED_MAX) this.distrusted.clear();
    this.distrusted.add(id);
    const log = getLogger(["agent", "catalog"]);
    const { stream, date } = day;
    log.warn("{stream} of {date} is listed until its manifest is made anew: {reason}", {
      ...{ stream, date, reason },
    });
    const signal = AbortSignal.any([AbortSignal.timeout(DISTRUST_MS), this.end.signal]);
    const said = this.options.catalog.own.distrust([day], signal).catch((error) => {
      this.distrusted.delete(id);
      log.warn("Cannot say so in the archive: {error}", { error: messageOf(error) });
    }).finally(() => this.saying.delete(said));
    this.saying.add(said);
  }

  async [Symbol.asyncDispose]() {
    this.end.abort();
    await Promise.all(this.saying);
  }

  private async snapshot(
    { tables: names, since, until, needs = {} }: SnapshotRequest,
    chunks: ReadonlyMap<string, readonly { object: CachedObject }[]>,
  ): Promise<Snapshot> {
    const { cache } = this.options.catalog;
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
  { signal, onOther }: { signal: AbortSignal; onOther: () => void },
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
        onOther();
        const what = error.problem === "changed" ? "was replaced" : "was removed";
        const text = `it ${what} while it was read: ask again`;
        throw new ObjectStoreError(error.problem, text, error.short, { cause: error });
      }
    },
  };
}
