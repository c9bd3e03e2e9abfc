/** Fetches an archived chunk, and sees to it that it is what was archived. */
import type { ListedObject, ObjectStore } from "../../protocol/archive/object_store.ts";
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import { missingFrom } from "../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";
import { sha256Hex } from "../../protocol/sha256.ts";

export interface FetchOptions {
  path: string;
  /** What of the object the file has already, from fetchRanges. @default nothing */
  present?: readonly ByteRange[];
  signal: AbortSignal;
}

/**
 * Writes an object to a file.
 * @returns whether there was a checksum to compare with: a folder keeps none
 * @throws {ObjectStoreError} corrupt, of other bytes than were archived
 */
export async function fetchChunk(
  store: ObjectStore,
  object: ListedObject,
  { path, present = [], signal }: FetchOptions,
): Promise<boolean> {
  const { key, bytes, etag } = object;
  if (present.length === 0) {
    const { body } = await store.get(key, { ifMatch: etag }, signal);
    await Deno.writeFile(path, ReadableStream.from(body));
  } else {
    const ranges = missingFrom([{ start: 0, end: bytes }], present);
    await fetchRanges(store, object, { path, ranges, signal });
  }
  const wanted = (await store.head(key, signal))?.sha256 ?? null;
  if (wanted === null) return false;
  if (sha256Hex(await Deno.readFile(path)) === wanted) return true;
  const text = `${key} is not what was archived: see logvend archive verify --content`;
  throw new ObjectStoreError("corrupt", text, "corrupt");
}

/** Writes some ranges of an object to where they lie in it; the rest of the file stays as it is. */
export async function fetchRanges(
  store: ObjectStore,
  { key, etag }: ListedObject,
  { path, ranges, signal }: {
    path: string;
    ranges: readonly ByteRange[];
    signal: AbortSignal;
  },
): Promise<void> {
  for (const range of ranges) {
    const { body } = await store.get(key, { range, ifMatch: etag }, signal);
    const file = await Deno.open(path, { write: true, create: true });
    await file.seek(range.start, Deno.SeekMode.Start);
    await ReadableStream.from(body).pipeTo(file.writable);
  }
}
