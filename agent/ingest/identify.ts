/** Decides which generation a file is that was not followed until now. */
import type { Generation } from "../store/batch.ts";
import { bytesBefore, HEAD_BYTES, headHash, holds, openFileInfo, sha256 } from "./identity.ts";
import type { FileInfo } from "./identity.ts";

/** What a file turned out to be. */
export type Identity =
  /** The inode that the generation was read from. */
  | { kind: "continues"; generation: Generation }
  /** Its content under another inode, and the old one holds it no more. */
  | { kind: "moved"; generation: Generation }
  /** A copy, whole or under way, of what is or was read elsewhere: nothing to read. */
  | { kind: "copy"; generation: Generation }
  | { kind: "new" }
  /** It changed while being looked at: look again later. */
  | { kind: "undecided" };

/** How far a generation had been read at some moment, and the hash of the 4 KiB before. */
export interface Mark {
  offset: number;
  tailSha256: string;
}

/** What is known about the stream's generations. */
export interface Known {
  generations: Generation[];
  /** Marks of a generation, oldest first. */
  marks(generation: Generation): readonly Mark[];
  /** Lends the file that the generation was read from; null when its inode is gone. */
  withOriginal<T>(
    generation: Generation,
    use: (file: Deno.FsFile | null) => Promise<T>,
  ): Promise<T>;
}

/** Tells what `file`, open as `handle`, is. `copyOf`: the generation it was a copy of before. */
export async function identify(
  file: FileInfo,
  handle: Deno.FsFile,
  known: Known,
  copyOf: string | null,
): Promise<Identity> {
  const newestFirst = known.generations.toReversed();
  for (const generation of newestFirst) {
    const same = generation.inode === file.inode && generation.device === file.device;
    if (same && await holds(handle, file.size, generation)) {
      return { kind: "continues", generation };
    }
  }
  if (file.size < HEAD_BYTES) return { kind: "new" };
  const head = await headHash(handle, HEAD_BYTES);
  for (const generation of newestFirst) {
    if (generation.headBytes < HEAD_BYTES || generation.headSha256 !== head) continue;
    if (await holds(handle, file.size, generation)) {
      const held = await known.withOriginal(
        generation,
        (original) => stillHolds(original, generation),
      );
      return { kind: held ? "copy" : "moved", generation };
    }
    if (file.size >= generation.offset) continue;
    if (generation.id === copyOf || await isCutCopy(file, handle, known, generation)) {
      return { kind: "copy", generation };
    }
  }
  const now = await openFileInfo(file.path, handle);
  return { kind: now?.size === file.size ? "new" : "undecided" };
}

async function stillHolds(original: Deno.FsFile | null, generation: Generation): Promise<boolean> {
  if (original === null) return false;
  return await holds(original, (await original.stat()).size, generation);
}

/**
 * Whether a file shorter than what was read of a generation is a copy of it: copytruncate under
 * way, or one that ended before the last lines. Equal first KiB alone do not tell.
 */
async function isCutCopy(
  file: FileInfo,
  handle: Deno.FsFile,
  known: Known,
  generation: Generation,
): Promise<boolean> {
  const end = sha256(await bytesBefore(handle, file.size));
  const compared = await known.withOriginal(generation, async (original) => {
    if (original === null || !await stillHolds(original, generation)) return null;
    return sha256(await bytesBefore(original, file.size)) === end;
  });
  if (compared !== null) return compared;
  const mark = known.marks(generation).findLast(({ offset }) => offset <= file.size);
  return mark !== undefined && sha256(await bytesBefore(handle, mark.offset)) === mark.tailSha256;
}
