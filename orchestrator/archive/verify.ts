/** Whether archived chunks are what was written: their footers, and on request every byte. */
import {
  hashObject,
  ObjectStoreError,
  OF_ONE_OBJECT,
} from "../../protocol/archive/object_store.ts";
import type { ChunkPlace } from "../../protocol/chunk/chunk_path.ts";
import { messageOf } from "../../protocol/errors.ts";
import { checkPlace } from "../../queries/chunk/check_place.ts";
import { ADVICE, ChunkError } from "../../queries/chunk/chunk_error.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";
import { readFooter } from "./footer.ts";
import type { Footer } from "./footer.ts";

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
 * @throws {ObjectStoreError} when the store cannot be asked; the signal's reason
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
  const read = await attempt(() => readFooter({ store, object }, facts.etag, signal), signal);
  if (typeof read === "string") return { ...verdict, problem: read };
  const problem = placeProblem(read, place);
  if (problem !== null || !content || facts.sha256 === null) {
    return { ...verdict, rows: read.rows, problem };
  }
  const hash = () => hashObject(store, key, { ifMatch: facts.etag }, signal);
  const found = await attempt(hash, signal);
  const isSame = found === facts.sha256;
  return {
    ...verdict,
    rows: read.rows,
    problem: isSame ? null : "its bytes are not its checksum's",
  };
}

function placeProblem({ facts }: Footer, place: ChunkPlace): string | null {
  try {
    checkPlace(facts, place);
    return null;
  } catch (error) {
    if (error instanceof ChunkError) return error.message;
    throw error;
  }
}

/** What is wrong with an object, as text; what is wrong with the store is thrown. */
async function attempt<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T | string> {
  try {
    return await read();
  } catch (error) {
    signal.throwIfAborted();
    const isOfTheObject = !(error instanceof ObjectStoreError) ||
      OF_ONE_OBJECT.includes(error.problem);
    if (!isOfTheObject) throw error;
    if (error instanceof ObjectStoreError) return error.message;
    const isNewer = error instanceof ChunkError && error.advice !== ADVICE;
    return isNewer ? `${error.message}; ${error.advice}` : `no chunk: ${messageOf(error)}`;
  }
}
