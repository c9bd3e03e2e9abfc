/** Finds the files of a stream: paths and globs, each file once, the oldest first. */
import { glob, isDynamicPattern } from "tinyglobby";
import { reasonOf } from "../../protocol/file_error.ts";
import { fileInfo, fileKey, notAFile } from "./identity.ts";
import type { FileInfo } from "./identity.ts";

/** Packed files are not followed, as they do not grow: they are read whole. */
const PACKED = /\.(gz|zst)$/;

/** Nothing here unpacks these. */
const FOREIGN = /\.(bz2|xz)$/;

/** What a look at the folders found. */
export interface Discovery {
  /** In the order of their last change, so that rotated files come before their successors. */
  files: FileInfo[];
  /** Packed files, in the same order. */
  packed: FileInfo[];
  /** What matched and is no file that can be read, by path: the reason. */
  refused: Map<string, string>;
  /** Globs that match nothing, or whose folder cannot be read. */
  unmatched: string[];
}

/** Looks for the files of `patterns` (absolute paths and globs). Nothing that it finds ends it. */
export async function discover(
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<Discovery> {
  const discovery: Discovery = { files: [], packed: [], refused: new Map(), unmatched: [] };
  const seen = new Set<string>();
  for (const pattern of patterns) {
    const paths = await pathsOf(pattern, signal);
    if (paths.length === 0) discovery.unmatched.push(pattern);
    for (const path of paths) {
      const file = FOREIGN.test(path) ? "it is packed; .gz and .zst are read" : await look(path);
      if (typeof file === "string") {
        discovery.refused.set(path, file);
      } else if (!seen.has(fileKey(file))) {
        seen.add(fileKey(file));
        (PACKED.test(path) ? discovery.packed : discovery.files).push(file);
      }
    }
  }
  discovery.files.sort(byChange);
  discovery.packed.sort(byChange);
  return discovery;
}

function byChange(a: FileInfo, b: FileInfo): number {
  return a.mtimeMs - b.mtimeMs || a.path.localeCompare(b.path);
}

async function pathsOf(pattern: string, signal: AbortSignal): Promise<string[]> {
  // A path that exists is meant as it is, whatever characters are in it.
  if (!isDynamicPattern(pattern) || await exists(pattern)) return [pattern];
  return await glob(pattern, { absolute: true, dot: true, expandDirectories: false, signal });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The file at a path, or why there is none. Opening a pipe would wait for who writes to it. */
async function look(path: string): Promise<FileInfo | string> {
  try {
    const stat = await Deno.stat(path);
    return fileInfo(path, stat) ?? notAFile(stat);
  } catch (error) {
    return reasonOf(error);
  }
}
