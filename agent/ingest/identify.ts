/** Decides which generation a file is that was not followed until now. */
import type { Generation } from "../store/batch.ts";
import type { FormerGenerations } from "./former.ts";
import type { History } from "./history.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import {
  bytesBefore,
  HEAD_BYTES,
  headHash,
  holds,
  openFileInfo,
  readAt,
  startsWith,
} from "./identity.ts";
import type { FileInfo } from "./identity.ts";

/** A small file that begins like another may be its copy, whose original is about to be emptied. */
const COPYING_MS = 2_000;
/** A file is taken for the copy of another's former content for this long after that ended. */
const EMPTIED_MS = 60_000;

/** Compared at once. */
const COMPARED_BYTES = 64 * 1_024;
const LINE_END = 0x0a;

/** What a file turned out to be. */
export type Identity =
  /** The inode that the generation was read from. */
  | { kind: "continues"; generation: Generation }
  /** Its content under another inode, and the old one holds it no more. */
  | { kind: "moved"; generation: Generation }
  /** A copy, whole or under way, of what is read elsewhere: nothing to read. */
  | { kind: "copy"; generation: Generation }
  /** What it holds up to `offset` is or was read elsewhere, what comes after is its own. */
  | { kind: "fork"; offset: number }
  | { kind: "new" }
  /** It changes while being looked at: look again later. */
  | { kind: "undecided" };

/** How far a generation had been read at some moment, and the hash of the 4 KiB before. */
export interface Mark {
  offset: number;
  tailSha256: string;
}

/** What is known about the stream's generations. */
export interface Known {
  history: History;
  /** Those that are known from the archive alone, of an earlier data folder. */
  former: FormerGenerations;
  /** Marks of a generation, oldest first. */
  marks(generation: Generation): readonly Mark[];
  /** False when the file that the generation was read from surely begins with other bytes. */
  mayBeginWith(generation: Generation, bytes: Uint8Array): boolean;
  /** Lends the file that the generation was read from; null when its inode is gone. */
  withOriginal<T>(
    generation: Generation,
    use: (file: Deno.FsFile | null) => Promise<T>,
  ): Promise<T>;
}

/** A file that is not followed yet. */
export interface Unknown {
  file: FileInfo;
  handle: Deno.FsFile;
  /** The generation that it was a copy of when last looked at. */
  copyOf: string | null;
  nowMs: number;
}

/** Tells what a file is. */
export async function identify(unknown: Unknown, known: Known): Promise<Identity> {
  const { file, handle } = unknown;
  for (const generation of known.history.ofFile(file)) {
    if (await holds(handle, file.size, generation)) return { kind: "continues", generation };
  }
  if (file.size < HEAD_BYTES) return await identifySmall(unknown, known);
  const head = await headHash(handle, HEAD_BYTES);
  for (const generation of known.history.withHead(head)) {
    const identity = await holds(handle, file.size, generation)
      ? await asWhole(unknown, known, generation)
      : await asCut(unknown, known, generation);
    if (identity !== null) return identity;
  }
  const small = await asSmallFormer(await readAt(handle, 0, new Uint8Array(HEAD_BYTES)), known);
  if (small !== null) return small;
  const now = await openFileInfo(file.path, handle);
  return { kind: now?.size === file.size ? "new" : "undecided" };
}

/**
 * Tells what a file is that messages are spooled to: nobody copies or renames those, and one that
 * says the same as another before it holds other messages.
 */
export async function identifySpooled({ file, handle }: Unknown, known: Known): Promise<Identity> {
  const generation = known.history.ofFile(file).find(({ path }) => path === file.path);
  const isKnown = generation !== undefined && await holds(handle, file.size, generation);
  return isKnown ? { kind: "continues", generation } : { kind: "new" };
}

/** What a file is that holds all that was read of a generation under another inode. */
async function asWhole(
  { file, handle }: Unknown,
  known: Known,
  generation: Generation,
): Promise<Identity> {
  const end = await bytesBefore(handle, file.size);
  return await known.withOriginal(generation, async (original) => {
    if (original === null || !await stillHolds(original, generation)) {
      return { kind: "moved", generation };
    }
    if (equal(await bytesBefore(original, file.size), end)) return { kind: "copy", generation };
    return { kind: "fork", offset: await lastCommonLine(handle, original, generation.offset) };
  });
}

/**
 * What a file is that is shorter than what was read of a generation: null, or a copy. Of a file
 * that is still there it is under way; of one that was emptied it lacks the last lines, which are
 * read. Equal first KiB alone do not tell.
 */
async function asCut(
  { file, handle, copyOf }: Unknown,
  known: Known,
  generation: Generation,
): Promise<Identity | null> {
  if (file.size >= generation.offset) return null;
  const end = await bytesBefore(handle, file.size);
  return await known.withOriginal(generation, async (original) => {
    if (original !== null) {
      const other = await bytesBefore(original, file.size); // first: it may be emptied at any time
      if (await stillHolds(original, generation)) {
        return equal(other, end) ? { kind: "copy", generation } : null;
      }
    }
    const mark = known.marks(generation).findLast(({ offset }) => offset <= file.size);
    const isCopy = generation.id === copyOf ||
      (mark !== undefined && sha256Hex(await bytesBefore(handle, mark.offset)) === mark.tailSha256);
    return isCopy ? { kind: "fork", offset: file.size } : null;
  });
}

/** Whether the file that a generation was read from holds that still. */
async function stillHolds(original: Deno.FsFile, generation: Generation): Promise<boolean> {
  return await holds(original, (await original.stat()).size, generation);
}

/** Where the last line ends up to which two files agree, which they do up to `offset`. */
async function lastCommonLine(
  file: Deno.FsFile,
  other: Deno.FsFile,
  offset: number,
): Promise<number> {
  const [ours, theirs] = [new Uint8Array(COMPARED_BYTES), new Uint8Array(COMPARED_BYTES)];
  for (let [start, lineEnd] = [offset, offset];;) {
    const bytes = await readAt(file, start, ours);
    const others = await readAt(other, start, theirs);
    let same = 0;
    while (same < bytes.length && bytes[same] === others[same]) same++;
    const lastEnd = bytes.lastIndexOf(LINE_END, same - 1);
    if (same > 0 && lastEnd >= 0) lineEnd = start + lastEnd + 1;
    start += same;
    if (same < COMPARED_BYTES) return lineEnd;
  }
}

/**
 * What a file of less than 1 KiB is. So few bytes may be equal by chance, so it is a copy only of
 * what it holds all of and what was emptied just now: that is how copytruncate rotates.
 */
async function identifySmall(unknown: Unknown, known: Known): Promise<Identity> {
  const { file, handle, nowMs } = unknown;
  const changedMs = Math.max(file.mtimeMs, file.ctimeMs);
  const isYoung = Math.abs(nowMs - changedMs) < COPYING_MS;
  const content = await readAt(handle, 0, new Uint8Array(file.size));
  const prefixSha256 = prefixHashes(content);
  for (const generation of known.history.recent(nowMs, EMPTIED_MS)) {
    // Only what memory cannot exclude is opened: there may be thousands of other small files.
    const isCandidate = beginsWith(prefixSha256, generation) ||
      isCutOf(unknown, content, { generation, marks: known.marks(generation) }) ||
      (isYoung && known.mayBeginWith(generation, content));
    if (!isCandidate) continue;
    const state = await known.withOriginal(generation, async (original) => {
      if (original === null) return "gone";
      const start = await readAt(original, 0, new Uint8Array(content.length)); // as above: before
      if (!await stillHolds(original, generation)) return "emptied";
      return start.length > 0 && startsWith(content, start) ? "same" : "other";
    });
    if (state === "same" && isYoung) return { kind: "undecided" };
    if (state !== "emptied") continue;
    if (await holds(handle, file.size, generation)) return { kind: "moved", generation };
    const cut = await asCut(unknown, known, generation);
    if (cut !== null) return cut;
  }
  return await asSmallFormer(content, known) ?? { kind: "new" };
}

/**
 * What begins with all that an earlier data folder read of a file of less than 1 KiB: that, if it is
 * not there itself. Lines that are the same there are archived once for each that is read as such.
 */
async function asSmallFormer(start: Uint8Array, { former, withOriginal }: Known) {
  const prefixSha256 = prefixHashes(start);
  for (const generation of former.small()) {
    if (!beginsWith(prefixSha256, generation)) continue;
    const isThere = await withOriginal(
      generation,
      async (original) => original !== null && await stillHolds(original, generation),
    );
    if (!isThere) return { kind: "moved", generation } as const;
  }
  return null;
}

function equal(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && startsWith(some, others);
}

/** Whether a small content begins with all that is known of a generation's beginning. */
function beginsWith(
  prefixSha256: (length: number) => string | null,
  { headBytes, headSha256 }: Generation,
): boolean {
  return headBytes > 0 && prefixSha256(headBytes) === headSha256;
}

/** The hash of the first bytes, made once a length; null for more than there are. */
function prefixHashes(content: Uint8Array): (length: number) => string | null {
  const hashes = new Map<number, string>();
  return (length) => {
    if (length > content.length) return null;
    const hash = hashes.get(length) ?? sha256Hex(content.subarray(0, length));
    hashes.set(length, hash);
    return hash;
  };
}

/** Whether a small content is what was read of a generation at some moment, cut off there. */
function isCutOf(
  { file, copyOf }: Unknown,
  content: Uint8Array,
  { generation, marks }: { generation: Generation; marks: readonly Mark[] },
): boolean {
  if (file.size >= generation.offset) return false;
  const mark = marks.findLast(({ offset }) => offset <= content.length);
  return generation.id === copyOf ||
    (mark !== undefined && sha256Hex(content.subarray(0, mark.offset)) === mark.tailSha256);
}
