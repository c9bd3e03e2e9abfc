/** Whether archived chunks are what was written: their footers, and on request every byte. */
import { parquetMetadata } from "hyparquet";
import { hashObject, ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";

/** Most footers are smaller; the others take a second read. */
const FOOTER_BYTES = 65_536;

/** Length of the footer, and PAR1. */
const TRAILER_BYTES = 8;

/** What was found out about one chunk. */
export interface Verdict {
  key: string;
  rows: number;
  bytes: number;
  /** What is wrong, and null for nothing. */
  problem: string | null;
  /** Whether there was a checksum to compare with; folders keep none. */
  hasChecksum: boolean;
}

/**
 * Reads the footer of a chunk and what it says of itself; with `content` all of it, to compare with
 * the checksum that was kept with it.
 * @throws {ObjectStoreError} when the store cannot be asked
 */
export async function verifyChunk(
  { store, object, place }: ArchivedChunk,
  { content }: { content: boolean },
  signal: AbortSignal,
): Promise<Verdict> {
  const { key, bytes } = object;
  const facts = await store.head(key, signal);
  const verdict = { key, bytes, rows: 0, problem: null, hasChecksum: facts?.sha256 !== null };
  if (facts === null) return { ...verdict, problem: "it is gone" };
  const read = await attempt(() => footerOf({ store, object, place }, facts.etag, signal));
  if (typeof read === "string") return { ...verdict, problem: read };
  const problem = read.id === place.chunk ? null : `it says that it is chunk ${read.id}`;
  if (problem !== null || !content || facts.sha256 === null) {
    return { ...verdict, rows: read.rows, problem };
  }
  const found = await attempt(() => hashObject(store, key, { ifMatch: facts.etag }, signal));
  const isSame = found === facts.sha256;
  return {
    ...verdict,
    rows: read.rows,
    problem: isSame ? null : "its bytes are not its checksum's",
  };
}

/** The id and the rows that a footer says. @throws when it is none */
async function footerOf(
  { store, object: { key, bytes } }: ArchivedChunk,
  etag: string,
  signal: AbortSignal,
): Promise<{ id: string; rows: number }> {
  if (bytes < 2 * TRAILER_BYTES) throw new Error("it is too short");
  const tail = async (length: number) =>
    await readObject(
      store,
      key,
      { range: { start: Math.max(0, bytes - length), end: bytes }, ifMatch: etag },
      signal,
    );
  let end = await tail(FOOTER_BYTES);
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const length = view.getUint32(end.length - TRAILER_BYTES, true) + TRAILER_BYTES;
  if (length > bytes) throw new Error("it has no footer");
  if (length > end.length) end = await tail(length);
  const metadata = parquetMetadata(new Uint8Array(end).buffer);
  const text = metadata.key_value_metadata?.find((entry) => entry.key === "logvend")?.value;
  if (text === undefined) throw new Error("nothing of logvend's is in its footer");
  const { id } = JSON.parse(text) as { id?: unknown }; // whatever it says
  return { id: String(id), rows: Number(metadata.num_rows) };
}

/** What is wrong with an object, as text; what is wrong with the store is thrown. */
async function attempt<T>(read: () => Promise<T>): Promise<T | string> {
  try {
    return await read();
  } catch (error) {
    const isOfTheObject = !(error instanceof ObjectStoreError) ||
      ["missing", "changed", "truncated", "corrupt"].includes(error.problem);
    if (!isOfTheObject) throw error;
    return error instanceof ObjectStoreError ? error.message : `no chunk: ${messageOf(error)}`;
  }
}
