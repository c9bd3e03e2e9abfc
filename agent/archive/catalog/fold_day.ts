/**
 * Makes the manifest of a day anew: what the older one has of the chunks that are listed now stays,
 * others are looked at. What lies in the archive decides; nothing is known that is not listed.
 */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../../protocol/errors.ts";
import {
  chunkKey,
  entriesFolder,
  entryKey,
  manifestKey,
} from "../../../protocol/archive/catalog/catalog_keys.ts";
import type { CatalogDay } from "../../../protocol/archive/catalog/catalog_keys.ts";
import type { ChangesReader } from "../../../protocol/archive/catalog/changed_days.ts";
import { ObjectStoreError, readObject } from "../../../protocol/archive/object_store.ts";
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import { hashFile } from "../../store/files/verify.ts";
import { removeIfThere } from "../../../protocol/durable_file.ts";
import type { ChunkCache } from "../reads/chunk_cache.ts";
import { Slots } from "../reads/slots.ts";
import { ChunkDescriber, columnsToRead, unreadChunk } from "./describe_chunk.ts";
import { listDay } from "./list_day.ts";
import type { DayChunk } from "./list_day.ts";
import { readSlice } from "../../../protocol/archive/catalog/manifest.ts";
import type { CatalogEntry } from "../../../protocol/archive/catalog/manifest.ts";
import { legible, UnreadableManifest } from "./shelf.ts";
import type { ManifestShelf, OpenManifest } from "./shelf.ts";
import { writeManifest } from "./write_manifest.ts";
import type { DescribedChunk } from "./write_manifest.ts";

/** Chunks that are looked at at once. */
const CHUNKS_AT_ONCE = 4;

/** Held in memory at once, 8 bytes each; a day with more is written in several goes. */
const TEXTS_AT_ONCE = 2_000_000;

/** Of an older manifest, fetched at once. */
const BLOCK_BYTES = 4 * 2 ** 20;

export interface FoldParts {
  store: ObjectStore;
  cache: ChunkCache;
  shelf: ManifestShelf;
  changes: ChangesReader;
  /** Where a manifest is written before it is stored. */
  folder: string;
  clock: () => number;
}

/** `lost`: somebody else wrote it meanwhile; it is theirs then. */
export type FoldOutcome = "stored" | "lost";

/**
 * @param index columns, in lower case; those that the manifest has are kept beside them
 * @throws {ObjectStoreError} and the signal's reason; what the day had stays then
 */
export async function foldDay(
  parts: FoldParts,
  day: CatalogDay,
  index: readonly string[],
  signal: AbortSignal,
): Promise<FoldOutcome> {
  for (;;) {
    const outcome = await foldSome(parts, day, index, signal);
    if (outcome !== "more") return outcome;
  }
}

async function foldSome(
  parts: FoldParts,
  day: CatalogDay,
  index: readonly string[],
  signal: AbortSignal,
): Promise<FoldOutcome | "more"> {
  const { changes, clock } = parts;
  const tokens = (await changes.read(signal)).tokens(day); // before the list: what comes later is not in it
  const older = await findOlder(parts, day, signal);
  const listedMs = clock();
  const chunks = await listDay(parts.store, day, signal);
  const listed = new Map(chunks.map((chunk) => [chunk.object.key, chunk]));
  const notes = await notesOf(parts, day, signal);
  const before = older.open?.manifest.facts.indexed ?? await notedColumns(parts, notes, signal);
  const indexed = [...new Set([...before, ...index])].sort();
  const kept = await keptOf(older.open, listed, indexed);
  const known = new Set(
    kept?.entries.flatMap((entry) => entry === null ? [] : [chunkKey(day, entry)]),
  );
  const missing = chunks.filter(({ object }) => !known.has(object.key));
  const { added, isAll } = await lookAtAll(parts, { day, missing, notes, indexed }, signal);
  const outcome = await store(parts, {
    day,
    facts: { listed_ms: isAll ? listedMs : null, indexed, changes: tokens },
    ...{ kept, added, etag: older.etag },
  }, signal);
  if (outcome === "exists") return "lost";
  return isAll ? "stored" : "more";
}

/** What there is; one that cannot be read is replaced whole. */
async function findOlder(
  { store, shelf }: FoldParts,
  day: CatalogDay,
  signal: AbortSignal,
): Promise<{ etag: string | null; open: OpenManifest | null }> {
  const [object] = await Array.fromAsync(store.list(manifestKey(day), signal));
  if (object === undefined) return { etag: null, open: null };
  const { etag } = object;
  try {
    const open = await shelf.open(object, signal);
    // All of it: what is damaged must not stop what is made of it.
    await legible(object, () => readAll(open, object.bytes), signal);
    return { etag, open };
  } catch (error) {
    if (!(error instanceof UnreadableManifest)) throw error;
    getLogger(["agent", "catalog"]).warn("{error}: it is made anew", { error: error.message });
    return { etag, open: null };
  }
}

async function readAll({ manifest, read }: OpenManifest, size: number) {
  for (let start = 0; start < size; start += BLOCK_BYTES) {
    await read({ start, end: Math.min(size, start + BLOCK_BYTES) });
  }
  await manifest.entries(read);
  for (const table of manifest.tables.values()) {
    for (let slice = 0; slice < 2 ** table.bits; slice++) await readSlice(table, slice, read);
  }
}

/** What of the older manifest is still so, and was looked at for all of the columns. */
async function keptOf(
  open: OpenManifest | null,
  listed: ReadonlyMap<string, DayChunk>,
  indexed: readonly string[],
) {
  if (open === null) return null;
  const { manifest, read } = open;
  const isWhole = indexed.every((column) => manifest.facts.indexed.includes(column));
  const entries = (await manifest.entries(read)).map((entry): CatalogEntry | null => {
    const object = listed.get(chunkKey(manifest.facts, entry))?.object;
    const isSame = isWhole && entry.rows !== null && object?.etag === entry.etag &&
      object.bytes === entry.bytes;
    return isSame ? entry : null;
  });
  return { manifest, read, entries };
}

/** What hosts noted of a day's chunks, by key. */
async function notesOf(
  { store }: FoldParts,
  day: CatalogDay,
  signal: AbortSignal,
): Promise<Map<string, ListedObject>> {
  const found = await Array.fromAsync(store.list(entriesFolder(day), signal));
  return new Map(found.map((object) => [object.key, object]));
}

/** Columns that a host has indexed: an agent without the stream need not know them. */
async function notedColumns(
  { shelf }: FoldParts,
  notes: ReadonlyMap<string, ListedObject>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [note] = notes.values();
  if (note === undefined) return [];
  try {
    return (await shelf.open(note, signal)).manifest.facts.indexed;
  } catch (error) {
    if (error instanceof UnreadableManifest) return [];
    throw error;
  }
}

interface Missing {
  day: CatalogDay;
  missing: readonly DayChunk[];
  notes: ReadonlyMap<string, ListedObject>;
  indexed: readonly string[];
}

/** Looks at chunks until they have too many texts. */
async function lookAtAll(
  parts: FoldParts,
  { day, missing, notes, indexed }: Missing,
  signal: AbortSignal,
): Promise<{ added: DescribedChunk[]; isAll: boolean }> {
  const slots = new Slots(CHUNKS_AT_ONCE);
  await using describer = new ChunkDescriber();
  const added: DescribedChunk[] = [];
  let texts = 0;
  let left = 0;
  const settled = await Promise.allSettled(missing.map((chunk) =>
    slots.run(async () => {
      signal.throwIfAborted();
      if (texts > TEXTS_AT_ONCE) return void left++;
      const note = notes.get(entryKey(day, chunk.place));
      const found = await takeNote(parts, { note, chunk, indexed }, signal) ??
        await lookAt(parts, { describer, chunk, indexed }, signal);
      added.push(found);
      for (const hashes of found.hashes.values()) texts += hashes.length;
    })
  ));
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  return { added, isAll: left === 0 };
}

/** What the host that stored a chunk noted of it; null: nothing that is of use. */
async function takeNote(
  { shelf }: FoldParts,
  { note, chunk, indexed }: {
    note: ListedObject | undefined;
    chunk: DayChunk;
    indexed: readonly string[];
  },
  signal: AbortSignal,
): Promise<DescribedChunk | null> {
  if (note === undefined) return null;
  try {
    const open = await shelf.open(note, signal);
    const isWhole = indexed.every((column) => open.manifest.facts.indexed.includes(column));
    return isWhole ? await legible(note, () => noted(open, chunk), signal) : null;
  } catch (error) {
    if (error instanceof UnreadableManifest) return null;
    throw error;
  }
}

async function noted(
  { manifest, read }: OpenManifest,
  { place, object }: DayChunk,
): Promise<DescribedChunk | null> {
  const [entry] = await manifest.entries(read);
  if (entry?.bytes !== object.bytes || entry.chunk !== place.chunk) return null;
  const hashes = new Map<string, Float64Array>();
  for (const [column, table] of manifest.tables) {
    if (table.open.length > 0) continue;
    const slices: Float64Array[] = [];
    for (let slice = 0; slice < 2 ** table.bits; slice++) {
      slices.push((await readSlice(table, slice, read)).hashes);
    }
    hashes.set(column, Float64Array.from(slices.flatMap((some) => [...some])));
  }
  return { entry: { ...entry, etag: object.etag }, hashes };
}

/** Reads what is needed of the chunk itself. */
async function lookAt(
  { store, cache }: FoldParts,
  { describer, chunk: { place, object }, indexed }: {
    describer: ChunkDescriber;
    chunk: DayChunk;
    indexed: readonly string[];
  },
  signal: AbortSignal,
): Promise<DescribedChunk> {
  const { key, etag, bytes } = object;
  const facts = await store.head(key, signal);
  const known = { place, bytes, etag, sha256: facts?.sha256 ?? null };
  const cached = {
    ...{ key, etag, bytes },
    read: (range: { start: number; end: number }) =>
      readObject(store, key, { range, ifMatch: etag }, signal),
  };
  const all = { sinceUs: -Infinity, untilUs: Infinity, values: {} };
  try {
    const lent = await cache.lend(cached, all, (columns) => columnsToRead(columns, indexed));
    try {
      return await describer.describe({ ...lent, ...known }, indexed);
    } finally {
      lent.release();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ObjectStoreError) throw error;
    getLogger(["agent", "catalog"]).warn(
      "{key} is opened for any question, for nobody knows what is in it: {error}",
      { key, error: messageOf(error) },
    );
    return unreadChunk(known);
  }
}

/** Writes it, and stores it in place of the version that was read. */
async function store(
  { store, folder }: FoldParts,
  manifest: Parameters<typeof writeManifest>[1] & { day: CatalogDay; etag: string | null },
  signal: AbortSignal,
): Promise<"stored" | "exists"> {
  const { day: { stream, region, date }, etag } = manifest;
  const path = join(folder, `manifest-${crypto.randomUUID()}.parquet`);
  try {
    await Deno.mkdir(folder, { recursive: true });
    await writeManifest(path, { ...manifest, day: { stream, region, date } });
    const key = manifestKey({ stream, region, date });
    // For stores that know no conditions.
    if (((await store.head(key, signal))?.etag ?? null) !== etag) return "exists";
    return await store.put({
      key,
      body: { path },
      sha256: await hashFile(path),
      ...(etag === null ? { ifNoneMatch: true } : { ifMatch: etag }),
    }, signal);
  } finally {
    await removeIfThere(path);
  }
}
