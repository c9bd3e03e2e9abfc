/** Fetches an archived chunk, and sees to it that it is what was archived. */
import type { ListedObject, ObjectStore } from "../../protocol/archive/object_store.ts";
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";

/**
 * Writes an object to a file.
 * @returns whether there was a checksum to compare with: a folder keeps none
 * @throws {ObjectStoreError} corrupt, of other bytes than were archived
 */
export async function fetchChunk(
  store: ObjectStore,
  { key, etag }: ListedObject,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<boolean> {
  const { body } = await store.get(key, { ifMatch: etag }, signal);
  await Deno.writeFile(path, ReadableStream.from(body));
  const wanted = (await store.head(key, signal))?.sha256 ?? null;
  if (wanted === null) return false;
  if (sha256Hex(await Deno.readFile(path)) === wanted) return true;
  const text = `${key} is not what was archived: see logvend archive verify --content`;
  throw new ObjectStoreError("corrupt", text, "corrupt");
}
