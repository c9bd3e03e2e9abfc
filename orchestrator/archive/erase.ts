/**
 * Erases from archives: chunks are written anew without the rows, under the id that says so, then the
 * old ones go with all their versions. From the moment that the new one is there it is the one that
 * counts (chunk_id.ts), so an end at any point leaves no row doubled or missing; doing it again ends it.
 */
import { join } from "node:path";
import { originKey, supersededKeys } from "../../protocol/chunk/chunk_id.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import {
  hashObject,
  ObjectStoreError,
  OF_ONE_OBJECT,
} from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../protocol/chunk/chunk_path.ts";
import { whileChanged } from "../../protocol/archive/catalog/while_changed.ts";
import { concernsArchived, erasureKey } from "../../protocol/signing/erasure.ts";
import type { Erasure } from "../../protocol/signing/erasure.ts";
import { messageOf } from "../../protocol/errors.ts";
import { parseSelector } from "../../protocol/selector/selector.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { conditionOf, conditionRequest } from "../../queries/erase/condition.ts";
import type { ErasedCondition } from "../../queries/erase/condition.ts";
import { rewriteChunk } from "../../queries/erase/rewrite.ts";
import { Planner } from "../../queries/plan/planner.ts";
import { listArchive } from "./archived_chunks.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";
import { chosenGroups } from "./chosen_groups.ts";
import { fetchChunk } from "./fetch_chunk.ts";
import { findInColumns, findRows } from "./find_rows.ts";
import { readFooter } from "./footer.ts";

/** A row group of an hour takes half of it. */
const MEMORY_BYTES = 1e9;

/** What came of it, so far. */
export interface ArchiveErased {
  /** Chunks that were looked at. */
  looked: number;
  /** Of these the ones that held such rows, and how many rows that were. */
  chunks: number;
  rows: number;
  /** Old chunks that an erasure before had left, and versions of what had been removed. */
  leftovers: number;
  /** Chunks that could not be done, and why. */
  failures: { key: string; reason: string }[];
  /** Archives that could not be worked on to their end, and why. */
  undone: { url: string; reason: string }[];
}

export interface EraseRequest {
  erasure: Erasure;
  /** Told after every chunk. */
  onProgress: (done: ArchiveErased, total: number) => void;
}

/**
 * Erases from all of these archives; what cannot be done with one chunk does not stop the others, nor
 * does an archive that cannot be worked on.
 * @throws {LogvendError} bad_sql
 */
export async function eraseArchives(
  stores: readonly ObjectStore[],
  { erasure, onProgress }: EraseRequest,
  signal: AbortSignal,
): Promise<ArchiveErased> {
  await using planner = await Planner.open();
  const condition = conditionOf(await planner.plan(conditionRequest(erasure)), erasure);
  const done: ArchiveErased = {
    ...{ looked: 0, chunks: 0, rows: 0, leftovers: 0 },
    ...{ failures: [], undone: [] },
  };
  for (const store of stores) {
    try {
      await eraseArchive(store, { erasure, condition, done, onProgress }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ObjectStoreError)) throw error;
      done.undone.push({ url: store.url, reason: error.message });
    }
  }
  return done;
}

interface Erasing extends EraseRequest {
  condition: ErasedCondition;
  done: ArchiveErased;
}

/** @throws {ObjectStoreError} */
async function eraseArchive(
  store: ObjectStore,
  { erasure, condition, done, onProgress }: Erasing,
  signal: AbortSignal,
) {
  await putRecord(store, erasure, signal); // from here on hosts see it before they upload
  const chunks = await chunksOf(store, erasure, signal);
  const places = chunks.map(({ place }) => place);
  const leftovers = new Set(
    chunks.filter(({ isSuperseded }) => isSuperseded).map(({ object }) => object.key),
  );
  await whileChanged({ store, id: erasure.id, places }, async (changed) => {
    const task = { erasure, condition, changed, leftovers };
    await eraseAll(chunks, { task, done, onProgress }, signal);
  }, signal);
  done.leftovers += await purgeHidden(store, erasure, signal);
}

/** What does not count goes when the chunk that counts has been read. */
async function eraseAll(
  chunks: readonly ArchivedChunk[],
  { task, done, onProgress }: Pick<Erasing, "done" | "onProgress"> & { task: Task },
  signal: AbortSignal,
) {
  const unread = new Set<string>();
  const { counting = [], leftovers = [] } = Object.groupBy(
    chunks,
    ({ isSuperseded }) => isSuperseded ? "leftovers" : "counting",
  );
  for (const chunk of [...counting, ...leftovers]) {
    signal.throwIfAborted();
    const { store, place, object: { key } } = chunk;
    const origin = originKey(key, place.chunk);
    try {
      if (chunk.isSuperseded) {
        if (unread.has(origin)) continue;
        task.changed(place);
        await store.purge(key, signal);
        done.leftovers++;
      } else {
        done.looked++;
        const rows = await eraseWhole(chunk, task, signal);
        if (rows > 0) done.chunks++;
        done.rows += rows;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!isOfTheChunk(error)) throw error;
      unread.add(origin);
      done.failures.push({ key, reason: messageOf(error) });
    }
    onProgress(done, chunks.length);
  }
}

/** Whether other chunks may fare better. */
function isOfTheChunk(error: unknown): boolean {
  if (!(error instanceof ObjectStoreError)) return true;
  return OF_ONE_OBJECT.includes(error.problem);
}

async function putRecord(store: ObjectStore, { id, record }: Erasure, signal: AbortSignal) {
  const body = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  const key = erasureKey(id);
  await store.put({ key, body, sha256: sha256Hex(body), ifNoneMatch: true }, signal);
}

/** The chunks of an archive that may hold such rows. */
export async function chunksOf(
  store: ObjectStore,
  erasure: Erasure,
  signal: AbortSignal,
): Promise<ArchivedChunk[]> {
  const { stream, since, until } = erasure;
  const selector = parseSelector(erasure.selector);
  const found: ArchivedChunk[] = [];
  for (const name of [stream, REJECTS]) {
    const filter = { stream: name, selector, range: { since, until }, isWhole: true };
    for await (const chunk of listArchive([store], filter, signal)) {
      if (chunk.place !== null) found.push(chunk);
    }
  }
  return found;
}

/** Of what was removed before, older versions may be left. */
async function purgeHidden(
  store: ObjectStore,
  erasure: Erasure,
  signal: AbortSignal,
): Promise<number> {
  const { stream, since, until } = erasure;
  let count = 0;
  for (const name of [stream, REJECTS]) {
    for await (const key of store.hidden(`stream=${name}/`, signal)) {
      const place = parseChunkPath(key);
      if (place === null || place.hour < since.slice(0, 13)) continue;
      if (`${place.hour}:00:00.000Z` >= until) continue;
      if (concernsArchived(erasure, place) !== true) continue;
      await store.purge(key, signal);
      count++;
    }
  }
  return count;
}

interface Task {
  erasure: Erasure;
  condition: ErasedCondition;
  /** Told before a chunk is replaced. */
  changed: (place: ChunkPlace) => void;
  /** Keys of chunks that did not count before. */
  leftovers: ReadonlySet<string>;
}

/**
 * Erases from a chunk, and from what another erasure makes of it at the same time: of two that write it
 * anew each has the other's rows, and who comes second sees it. Returns how many rows went.
 */
async function eraseWhole(chunk: ArchivedChunk, task: Task, signal: AbortSignal): Promise<number> {
  const { store, object: { key } } = chunk;
  const first = await eraseOne(chunk, task, signal).catch((error) => {
    if (error instanceof ObjectStoreError && error.problem === "missing") return error;
    throw error;
  });
  if (first === null) return 0;
  const isGone = first instanceof ObjectStoreError;
  let rows = isGone ? 0 : first.rows;
  const handled = new Set(isGone ? [key] : [key, first.key]);
  for (;;) {
    const there = await ofOneOrigin(chunk, task, signal);
    if (isGone && there.length === 0) throw first;
    const next = there.find(({ object }) => !handled.has(object.key));
    if (next === undefined) {
      const keys = there.map(({ object }) => object.key);
      for (const old of supersededKeys(keys)) await store.purge(old, signal);
      return rows;
    }
    const made = await eraseOne(next, task, signal);
    handled.add(next.object.key).add(made?.key ?? "");
    if (isGone) rows += made?.rows ?? 0;
  }
}

/** The chunks that were made of the one that was sealed, as they are there now. */
async function ofOneOrigin(
  { store, place, object: { key } }: ArchivedChunk,
  { leftovers }: Task,
  signal: AbortSignal,
): Promise<ArchivedChunk[]> {
  const found: ArchivedChunk[] = [];
  for await (const object of store.list(originKey(key, place.chunk), signal)) {
    const at = parseChunkPath(object.key);
    if (at === null || leftovers.has(object.key)) continue;
    found.push({ store, object, place: at, isSuperseded: false });
  }
  return found;
}

/** Writes a chunk anew; returns how many rows went, and where the others are. Null: no row is meant. */
async function eraseOne(
  chunk: ArchivedChunk,
  task: Task,
  signal: AbortSignal,
): Promise<{ rows: number; key: string } | null> {
  const { store, object, place } = chunk;
  const chosen = await chosenGroups(chunk, task, signal);
  if (chosen?.groups.length === 0) return null;
  const folder = await Deno.makeTempDir({ prefix: "logvend-erase-" });
  try {
    const source = join(folder, "source.parquet");
    const rows = join(folder, "rows.parquet");
    await using engine = await Engine.open({ memoryBytes: MEMORY_BYTES, spillFolder: folder });
    const search = { ...task, engine, path: source, rows };
    const present = chosen === null || hasLeftover(chunk, task)
      ? []
      : await findInColumns(chunk, chosen, search, signal);
    if (present === null) return null;
    await readFooter({ store, object }, object.etag, signal); // ours, and of no newer version
    await fetchChunk(store, object, { path: source, present, signal });
    const shape = await findRows(search, place);
    if (shape === null) return null;
    const target = join(folder, "target.parquet");
    const rewriting = { table: place.stream, shape, chunk: place.chunk, source, rows, target };
    const rewritten = await rewriteChunk(engine, rewriting);
    const key = chunkPath({ ...place, chunk: rewritten.chunk });
    task.changed(place);
    await putChunk(store, { key, path: target, ...rewritten }, signal);
    return { key, rows: rewritten.counts.reduce((sum, { lines }) => sum + lines, 0) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is removed on its account goes only if it is what was archived: that takes all of it. */
function hasLeftover({ object: { key }, place }: ArchivedChunk, { leftovers }: Task): boolean {
  const origin = originKey(key, place.chunk);
  return leftovers.values().some((old) => old.startsWith(origin));
}

/** It may be there: the host has erased too, or an erasure before was interrupted. */
async function putChunk(
  store: ObjectStore,
  chunk: { key: string; path: string; chunk: string; rows: number },
  signal: AbortSignal,
) {
  const { key, path, rows } = chunk;
  const sha256 = sha256Hex(await Deno.readFile(path));
  const metadata = { chunk: chunk.chunk, rows: String(rows) };
  await store.put({ key, body: { path }, sha256, ifNoneMatch: true, metadata }, signal);
  const there = await store.head(key, signal);
  const found = there === null
    ? null
    : there.sha256 ?? await hashObject(store, key, { ifMatch: there.etag }, signal);
  if (there !== null && found === sha256) return;
  const isSame = there !== null && await readFooter(
    { store, object: { key, bytes: there.bytes } },
    there.etag,
    signal,
  ).then((footer) => footer.id === chunk.chunk && footer.rows === rows, () => false);
  if (isSame) return;
  const text = `${key} in ${store.url} is not what was written: the old chunk stays`;
  throw new ObjectStoreError("corrupt", text, "corrupt");
}
