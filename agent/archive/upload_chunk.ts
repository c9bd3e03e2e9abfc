/** Brings one sealed chunk into the archive: one object, whatever happened to earlier attempts. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { hashObject, ObjectStoreError } from "../../protocol/archive/object_store.ts";
import type { ObjectFacts, ObjectStore } from "../../protocol/archive/object_store.ts";
import type { ArchivedObject } from "../store/database/archive_book.ts";
import type { StoredFile } from "../store/database/catalog.ts";
import { removeIfThere } from "../../protocol/durable_file.ts";
import { compareChunks } from "../store/sealing/same_chunk.ts";
import type { Likeness } from "../store/sealing/same_chunk.ts";

export interface UploadRequest {
  objects: ObjectStore;
  dataDir: string;
  /** Verified just now. */
  chunk: StoredFile & { sha256: string };
  /** The archive had it, and is known to have something else now. @default false */
  isSpoilt?: boolean;
}

/**
 * Resolves once the archive has the chunk, with the object as it is there. It is looked for first:
 * the answer to an earlier attempt may have been lost. An object of the same rows and other bytes
 * stays (the hour was sealed again); one that is no chunk of this id is replaced. Null: what is there
 * is one, of other rows, and stays too.
 * @throws {ObjectStoreError}
 */
export async function uploadChunk(
  request: UploadRequest,
  signal: AbortSignal,
): Promise<ArchivedObject | null> {
  const { objects, chunk } = request;
  const key = chunk.path;
  const there = await objects.head(key, signal);
  if (there === null) await put(request, true, signal);
  const found = there ?? await headAfter(objects, key, signal);
  if (await isThisFile(request, found, signal)) return archived(chunk);
  const { sha256, likeness } = await compare(request, found, signal);
  if (likeness === "same") return { sha256, bytes: found.bytes };
  if (likeness === "other" && request.isSpoilt !== true) return null;
  getLogger(["agent", "archive"]).warn(
    "{key} in {archive} is not the chunk of that name: it is replaced",
    { key, archive: objects.url },
  );
  await put(request, false, signal);
  if (await isThisFile(request, await headAfter(objects, key, signal), signal)) {
    return archived(chunk);
  }
  const text = `Cannot archive ${key}: ${objects.url} gives back other bytes than it was given`;
  throw new ObjectStoreError("corrupt", text, "corrupt");
}

async function put(
  { objects, dataDir, chunk }: UploadRequest,
  isNew: boolean,
  signal: AbortSignal,
) {
  const { id, path, rows, sha256 } = chunk;
  await objects.put({
    key: path,
    body: { path: join(dataDir, path) },
    sha256,
    ifNoneMatch: isNew,
    metadata: { chunk: id, rows: String(rows) },
  }, signal);
}

async function headAfter(
  objects: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<ObjectFacts> {
  const found = await objects.head(key, signal);
  if (found !== null) return found;
  const text = `Cannot archive ${key}: ${objects.url} has taken it, and does not have it`;
  throw new ObjectStoreError("missing", text, "lost");
}

/** A store that keeps no checksums is read. */
async function isThisFile(
  { objects, chunk }: UploadRequest,
  found: ObjectFacts,
  signal: AbortSignal,
): Promise<boolean> {
  if (found.bytes !== chunk.bytes) return false;
  const { sha256, etag } = found;
  return chunk.sha256 ===
    (sha256 ?? await hashObject(objects, chunk.path, { ifMatch: etag }, signal));
}

/** What an object of other bytes is, and its checksum. */
async function compare(
  { objects, dataDir, chunk }: UploadRequest,
  { etag, sha256 }: ObjectFacts,
  signal: AbortSignal,
): Promise<{ sha256: string; likeness: Likeness }> {
  const copy = join(dataDir, "open", `archived-${chunk.id}.parquet`); // a start empties that folder
  try {
    const hash = createHash("sha256");
    const { body } = await objects.get(chunk.path, { ifMatch: etag }, signal);
    await Deno.mkdir(join(dataDir, "open"), { recursive: true });
    await Deno.writeFile(copy, ReadableStream.from(hashed(body, hash)));
    const found = hash.digest("hex");
    const isAsStored = sha256 === null || found === sha256;
    const own = join(dataDir, chunk.path);
    const likeness = isAsStored ? await compareChunks(copy, own, chunk) : "none";
    return { sha256: found, likeness };
  } finally {
    await removeIfThere(copy);
  }
}

async function* hashed(
  body: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const block of body) {
    hash.update(block);
    yield block;
  }
}

function archived({ sha256, bytes }: UploadRequest["chunk"]): ArchivedObject {
  return { sha256, bytes };
}
