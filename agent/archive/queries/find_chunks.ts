/**
 * Finds the archived chunks that a question has to read. Days whose manifest has all their chunks are
 * answered by it; others are listed, and what a manifest knows of a listed chunk still counts.
 */
import { getLogger } from "@logtape/logtape";
import {
  chunkKey,
  dateOfManifest,
  manifestFolder,
} from "../../../protocol/archive/catalog/catalog_keys.ts";
import { isClosed } from "../../../protocol/archive/catalog/changed_days.ts";
import type {
  ChangedDay,
  ChangesReader,
  KnownChanges,
} from "../../../protocol/archive/catalog/changed_days.ts";
import { ArchivedHours, dayMsOf, touchesDay } from "../../../protocol/archive/archived_hours.ts";
import { ObjectStoreError } from "../../../protocol/archive/object_store.ts";
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import type { ListedChunk } from "../../../protocol/archive/archive_piece.ts";
import { ChunkRoom } from "../../../protocol/archive/chunk_room.ts";
import type { ChunkShare } from "../../../protocol/archive/chunk_room.ts";
import type { ArchiveScope, FoundChunks } from "../../store/query_archive.ts";
import { datesOf, lookThroughDay } from "../catalog/list_day.ts";
import type { DayChunk } from "../catalog/list_day.ts";
import { legible, UnreadableManifest } from "../catalog/shelf.ts";
import type { ManifestShelf, OpenManifest } from "../catalog/shelf.ts";
import type { FoundEntry, ManifestFacts } from "../../../protocol/archive/catalog/manifest.ts";
import { HostHours } from "../catalog/write_manifest.ts";
import { mayHold } from "../../../queries/chunk/choose.ts";
import { retried } from "../reads/retried.ts";
import { Slots } from "../reads/slots.ts";
import { microseconds } from "../../store/files/stored_snapshot.ts";
import { scopeFilter, selectsHost } from "./scope.ts";
import type { Onlooker } from "./scope.ts";

/** Days that are looked at at once: each takes a request or two. */
const DAYS_AT_ONCE = 32;

/** A footer and one request for columns. */
const USUAL_REQUESTS = 2;

/** More texts of one column rule few chunks out. */
const TEXTS_MAX = 100;

/** Of all questions together, some 500 bytes each: a year of 45 hosts. */
const CHUNKS_MAX = 400_000;

/** Of the days that are looked at: their rows take 600 bytes each meanwhile. */
const ROWS_MAX = 200_000;

/** What all that look for chunks at once have of memory. */
export interface FindBounds {
  room: ChunkRoom;
  /** A slot for each chunk of the days whose rows are read. */
  rows: Slots;
}

export function findBounds(chunksMax = CHUNKS_MAX): FindBounds {
  return { room: new ChunkRoom(chunksMax), rows: new Slots(ROWS_MAX) };
}

export interface FindParts extends FindBounds {
  store: ObjectStore;
  shelf: ManifestShelf;
  changes: ChangesReader;
  self: Onlooker;
  /** Called for the day of a manifest that is of no use. */
  onUnreadable: (day: ChangedDay, object: ListedObject, error: UnreadableManifest) => void;
}

/** What a manifest says of chunks, by key. */
type KnownEntries = ReadonlyMap<string, FoundEntry & { isRuledOut: boolean }>;

/** By key. @throws {LogvendError} of the store, and of the room for chunks */
export async function findChunks(
  parts: FindParts,
  scope: ArchiveScope,
  signal: AbortSignal,
): Promise<FoundChunks> {
  const share = parts.room.open();
  try {
    return await findInto(share, { parts, scope, signal });
  } catch (error) {
    share[Symbol.dispose]();
    throw error;
  }
}

async function findInto(
  share: ChunkShare,
  { parts, scope, signal }: { parts: FindParts; scope: ArchiveScope; signal: AbortSignal },
): Promise<FoundChunks> {
  const { store, self: { region } } = parts;
  const found: FoundChunks = {
    ...{ chunks: [], hours: [] },
    [Symbol.dispose]: () => share[Symbol.dispose](),
  };
  if (scope.regions?.includes(region) === false) return found;
  const isSelected = selectsHost(scope, parts.self);
  const bounds = { sinceMs: msOf(scope.since), untilMs: msOf(scope.until) };
  const hours = new ArchivedHours();
  const slots = new Slots(DAYS_AT_ONCE);
  const changes = await readChanges(parts, signal); // before manifests: see KnownChanges
  const findDay = async (stream: string, date: string, manifest: ListedObject | undefined) => {
    const take = (chunk: ListedChunk) => {
      share.take(1);
      found.chunks.push(chunk);
    };
    const day = new Day(parts, { scope, take }, { stream, date });
    for (const [host, counts] of Object.entries(await day.find(manifest, changes, signal))) {
      if (!isSelected({ host, region })) continue;
      hours.add({ host, stream, dayMs: dayMsOf(date) }, counts, bounds);
    }
  };
  const findStream = async (stream: string) => {
    const manifests = changes === null
      ? new Map<string, ListedObject>()
      : await manifestsOf(parts, stream, signal);
    const dates = await datesOf(store, { stream, region }, signal);
    const wanted = [...new Set([...dates, ...manifests.keys()])]
      .filter((date) => touchesDay(date, scope));
    await Promise.all(
      wanted.map((date) => slots.run(() => findDay(stream, date, manifests.get(date)))),
    );
  };
  await Promise.all(Object.keys(scope.needs).map(findStream));
  found.chunks.sort((a, b) => a.key < b.key ? -1 : 1);
  found.hours = hours.runs();
  return found;
}

/** Whether a manifest has all chunks of its day. */
export function hasAll(
  { listed_ms: listedMs, changes: tokens }: ManifestFacts,
  day: ChangedDay,
  changes: KnownChanges,
): boolean {
  return listedMs !== null && isClosed(day.date, listedMs) && changes.areKnown(day, tokens);
}

/** Null: nobody can say what has changed, so no manifest is taken for whole. */
export async function readChanges(
  { changes }: Pick<FindParts, "changes">,
  signal: AbortSignal,
): Promise<KnownChanges | null> {
  try {
    return await retried(() => changes.read(signal), { signal });
  } catch (error) {
    const isOfTheCatalog = error instanceof ObjectStoreError &&
      ["denied", "corrupt", "missing", "changed"].includes(error.problem);
    if (!isOfTheCatalog) throw error;
    getLogger(["agent", "catalog"]).warn("The archive is listed without its catalog: {error}", {
      error: error.message,
    });
    return null;
  }
}

export async function manifestsOf(
  { store, self: { region } }: Pick<FindParts, "store" | "self">,
  stream: string,
  signal: AbortSignal,
): Promise<Map<string, ListedObject>> {
  const list = () => Array.fromAsync(store.list(manifestFolder({ stream, region }), signal));
  return new Map((await retried(list, { signal })).flatMap((object) => {
    const date = dateOfManifest(object.key);
    return date === null ? [] : [[date, object]];
  }));
}

function msOf(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso);
}

/** By host, how many chunks it has of the hours of a day (archived_hours.ts). */
type DayHours = Record<string, string>;

interface DayQuestion {
  scope: ArchiveScope;
  /** Called for every chunk that it has to read. */
  take: (chunk: ListedChunk) => void;
}

/** One day of one stream. */
class Day {
  private readonly isSelected: (host: string) => boolean;
  private readonly inScope: (key: string) => ChunkPlace | null;
  /** By column in lower case, texts of which rows that matter have one. */
  private readonly values: [column: string, texts: readonly string[]][];

  constructor(
    private readonly parts: FindParts,
    private readonly question: DayQuestion,
    private readonly day: { stream: string; date: string },
  ) {
    const { self } = parts;
    const { scope } = question;
    this.inScope = scopeFilter(scope, self);
    const isSelected = selectsHost(scope, self);
    this.isSelected = (host) => isSelected({ host, region: self.region });
    this.values = Object.entries(scope.needs[day.stream]?.values ?? {})
      .filter(([, texts]) => texts.length <= TEXTS_MAX)
      .map(([column, texts]) => [column.toLowerCase(), texts]);
  }

  /** Takes its chunks, and says by host until when there are any, of hosts in no scope too. */
  async find(
    object: ListedObject | undefined,
    changes: KnownChanges | null,
    signal: AbortSignal,
  ): Promise<DayHours> {
    if (object === undefined || changes === null) return await this.list(null, signal);
    try {
      const open = await this.parts.shelf.open(object, signal);
      const { facts } = open.manifest;
      return await this.parts.rows.run(async () => {
        if (hasAll(facts, this.day, changes)) {
          return await legible(object, () => this.look(open), signal);
        }
        return await this.list(await legible(object, () => this.ruledOut(open), signal), signal);
      }, facts.chunks);
    } catch (error) {
      if (!(error instanceof UnreadableManifest)) throw error;
      this.parts.onUnreadable(this.day, object, error);
      return await this.list(null, signal);
    }
  }

  /** By the manifest alone. */
  private async look({ manifest, read }: OpenManifest): Promise<DayHours> {
    const { hosts } = manifest.facts;
    if (!this.hasSelected({ hosts })) return hosts;
    const rows = await this.rowsOf({ manifest, read });
    if (rows?.size === 0) return hosts;
    const isWanted = (host: string, row: number) =>
      rows?.has(row) !== false && this.isSelected(host);
    for (const { entry } of await manifest.someEntries(read, isWanted)) {
      const key = this.keyOf(entry);
      if (this.mayMatter(entry) && this.inScope(key) !== null) {
        this.question.take(chunkOf(key, entry));
      }
    }
    return hosts;
  }

  /** What a manifest says of its chunks, by key, and whether that rules them out. */
  private async ruledOut({ manifest, read }: OpenManifest): Promise<KnownEntries> {
    if (!this.hasSelected(manifest.facts)) return new Map();
    const rows = await this.rowsOf({ manifest, read });
    const entries = await manifest.someEntries(read, this.isSelected);
    return new Map(entries.map(({ row, entry }) => {
      const isRuledOut = rows?.has(row) === false || !this.mayMatter(entry);
      return [this.keyOf(entry), { ...entry, isRuledOut }];
    }));
  }

  /** Whether any of its chunks is of a host that is asked for: else its rows are not read. */
  private hasSelected({ hosts }: { hosts: DayHours }): boolean {
    return Object.keys(hosts).some(this.isSelected);
  }

  /** By what lies there. */
  private async list(known: KnownEntries | null, signal: AbortSignal): Promise<DayHours> {
    const { store, self: { region } } = this.parts;
    const hours = new HostHours();
    const takeOne = ({ place: { host, hour }, object: { key, bytes, etag } }: DayChunk) => {
      hours.add({ host, hour: Number(hour.slice(11)) });
      if (this.inScope(key) === null) return;
      const entry = known?.get(key);
      const isSame = entry?.etag === etag && entry.bytes === bytes;
      if (isSame && entry.isRuledOut) return;
      this.question.take(chunkOf(key, { bytes, etag, rows: isSame ? entry.rows : null }));
    };
    const take = (chunks: DayChunk[]) => chunks.forEach(takeOne);
    await lookThroughDay(store, { ...this.day, region }, { take, signal });
    return hours.all();
  }

  /** Rows of a manifest that may have the texts that are asked for; null: all may. */
  private async rowsOf({ manifest, read }: OpenManifest): Promise<Set<number> | null> {
    let rows: Set<number> | null = null;
    for (const [column, texts] of this.values) {
      const having = await manifest.chunksWith(column, texts, read);
      if (having !== null) rows = rows === null ? having : rows.intersection(having);
    }
    return rows;
  }

  /** Whether its times, smallest and largest texts do not rule it out. */
  private mayMatter({ firstUs, lastUs, texts }: FoundEntry): boolean {
    const { sinceUs, untilUs } = microseconds(this.question.scope);
    return (firstUs === null || firstUs < untilUs) && (lastUs === null || lastUs >= sinceUs) &&
      this.values.every(([column, values]) => {
        const range = texts[column] ?? { min: null, max: null };
        return values.some((value) => mayHold(range, value));
      });
  }

  private keyOf(entry: FoundEntry): string {
    return chunkKey({ ...this.day, region: this.parts.self.region }, entry);
  }
}

function chunkOf(
  key: string,
  { bytes, etag, rows }: Pick<FoundEntry, "bytes" | "etag" | "rows">,
): ListedChunk {
  return { key, bytes, etag, rows, readBytes: bytes, requests: USUAL_REQUESTS };
}
