/** What a host holds, and what of its own has left it since for the archive: each chunk once. */
import { uniteShapes } from "../../protocol/schema/stream_shape.ts";
import type { ChunkReference } from "../../protocol/archive/archive_piece.ts";
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { originOf } from "../../protocol/chunk/chunk_id.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import { spansOf } from "../../protocol/wire/hour_spans.ts";
import { microseconds } from "../store/files/stored_snapshot.ts";
import type { HostQuery } from "../store/answer.ts";
import { hoursOf } from "../../protocol/archive/archived_hours.ts";
import type { ArchiveScope, FoundChunks, QueryArchive } from "../store/query_archive.ts";
import type {
  FormerChunk,
  HeldChunks,
  Snapshot,
  SnapshotSource,
  SnapshotTable,
} from "../store/snapshot.ts";

export interface HistoryParts {
  store: SnapshotSource;
  held?: Pick<HeldChunks, "isReadAgain" | "retired"> | undefined;
  archive: QueryArchive;
  /** Of this host alone. */
  scope: ArchiveScope;
  signal: AbortSignal;
  /** How long the archive is waited for, twice: to say what it has, and to give it. */
  archiveMs: number;
}

/** Whether a range reaches to before what a store may have given away. */
export function reachesBefore(goneUntil: string | null, since: string | null): boolean {
  return goneUntil !== null && (since === null || Date.parse(since) < Date.parse(goneUntil));
}

/** The same of a question that is not planned yet: SQL that names no time stays within its range. */
export function mayReachBefore(
  goneUntil: string,
  { sql, range }: Pick<HostQuery, "sql" | "range">,
): boolean {
  const isBound = !range.implied || !/\b(ts|time_local)\b/i.test(sql);
  return !isBound || reachesBefore(goneUntil, range.since);
}

/** Rows that are asked for have left the store: the archive has to be asked too. */
export class HaveLeft extends Error {}

/**
 * A store as long as nothing that is asked has left it. That is looked at when it has been read: between
 * question and snapshot retention may come by. @throws {HaveLeft} by its snapshots
 */
export function whileNothingLeft(store: SnapshotSource): SnapshotSource {
  return {
    tables: () => store.tables(),
    async snapshot(request) {
      const held = await store.snapshot(request);
      if (!reachesBefore(store.goneUntil?.() ?? null, request.since)) return held;
      await held[Symbol.asyncDispose]();
      throw new HaveLeft("Rows have left for the archive");
    },
  };
}

/**
 * The archive is listed before the store is looked at: a chunk that is listed had been sealed by then,
 * so the store has its rows in that chunk, or has them no more. One of an earlier data folder counts
 * only if its log file was not read again.
 */
export function wholeHistory(
  { store, held: here, archive, scope, ...limits }: HistoryParts,
): SnapshotSource {
  return {
    tables: () => store.tables(),
    async snapshot(request) {
      const found = await asked((until) => archive.find(scope, until), limits);
      using _listed = typeof found === "string" ? null : found;
      const held = await store.snapshot(request);
      try {
        if (typeof found === "string") return without(held, archive, found);
        const origins = new Set(
          [...held.tables.values()].flatMap(({ chunkIds = [] }) => chunkIds.map(originOf)),
        );
        // Rows may have been erased from a chunk here and not there yet, or the other way round.
        const gone = found.chunks.filter(({ key }) => !origins.has(originOfKey(key)));
        const retired = here?.retired(request.tables, microseconds(request)) ?? [];
        held.absent = spansOf(lostHours(retired, found));
        if (gone.length === 0) return held;
        const references = gone.map(({ key, bytes, etag }): ChunkReference => [key, bytes, etag]);
        const isLeftOut = (chunk: FormerChunk) => here?.isReadAgain(chunk) ?? false;
        const read = (until: AbortSignal) =>
          archive.open(references, scope, until, isLeftOut).source.snapshot(request);
        const archived = await asked(read, limits);
        if (typeof archived === "string") return without(held, archive, archived);
        return united(held, archived);
      } catch (error) {
        await held[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

/** Asks the archive; what is wrong with it takes nothing from what the host holds. */
async function asked<T>(
  work: (until: AbortSignal) => Promise<T>,
  { signal, archiveMs }: Pick<HistoryParts, "signal" | "archiveMs">,
): Promise<T | string> {
  const soon = AbortSignal.timeout(archiveMs);
  try {
    return await work(AbortSignal.any([signal, soon]));
  } catch (error) {
    signal.throwIfAborted();
    const isBusy = error instanceof LogvendError && error.code === "unavailable";
    if (isBusy || error instanceof ObjectStoreError) return error.message;
    if (!soon.aborted) throw error;
    return `the archive has not answered within ${formatDurationMs(archiveMs)}`;
  }
}

function without(held: Snapshot, { host }: QueryArchive, reason: string): Snapshot {
  held.unread = [{ host, reason }];
  return held;
}

function originOfKey(key: string): string {
  return originOf(parseChunkPath(key)?.chunk ?? "");
}

/**
 * Hours of which chunks have left the host that the archive has not. Of those that were ruled out it
 * is known how many there are.
 */
function lostHours(
  retired: readonly { id: string; hour: string }[],
  { chunks, hours }: FoundChunks,
): string[] {
  const listed = Map.groupBy(chunks, ({ key }) => parseChunkPath(key)?.hour);
  const ids = new Set(chunks.map(({ key }) => originOfKey(key)));
  const all = Map.groupBy(hoursOf(hours), ({ hour }) => hour);
  const unlisted = Map.groupBy(
    retired.filter(({ id }) => !ids.has(originOf(id))),
    ({ hour }) => hour,
  );
  return [...unlisted].flatMap(([hour, { length }]) => {
    const ruledOut = (all.get(hour)?.length ?? 0) - (listed.get(hour)?.length ?? 0);
    return length > ruledOut ? [hour] : [];
  });
}

/** Both, which have no row in common; it owns them. */
export function united(held: Snapshot, archived: Snapshot): Snapshot {
  const tables = [...held.tables].map(([name, table]) => {
    const other = archived.tables.get(name);
    return [name, other === undefined ? table : unitedTable(table, other)] as const;
  });
  return {
    ...held,
    tables: new Map(tables),
    archive: archived.archive,
    unread: archived.unread,
    async [Symbol.asyncDispose]() {
      await held[Symbol.asyncDispose]();
      await archived[Symbol.asyncDispose]();
    },
  };
}

function unitedTable(held: SnapshotTable, archived: SnapshotTable): SnapshotTable {
  const shapes = [held.shape, archived.shape].filter((shape) => shape !== undefined);
  return {
    files: held.files,
    archived: archived.archived,
    counted: archived.counted,
    rows: held.rows + archived.rows,
    bytes: held.bytes + archived.bytes,
    ...(shapes.length === 0 ? {} : { shape: shapes.reduce(uniteShapes) }),
  };
}
