/** Finds the files of a stream: paths and globs, each file once, the oldest first. */
import { glob, isDynamicPattern } from "tinyglobby";
import { fileInfo } from "./identity.ts";
import type { FileInfo } from "./identity.ts";

/** Compressed files are not followed: they do not grow; `import` reads them. */
const COMPRESSED = /\.(gz|zst|bz2|xz)$/;

/** What a look at the folders found. */
export interface Discovery {
  /** In the order of their last change, so that rotated files come before their successors. */
  files: FileInfo[];
  /** Compressed files that matched. */
  compressed: string[];
  /** Patterns that no file matches, or whose folder cannot be read. */
  unmatched: string[];
}

/** Looks for the files of `patterns` (absolute paths and globs). */
export async function discover(
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<Discovery> {
  const discovery: Discovery = { files: [], compressed: [], unmatched: [] };
  const seen = new Set<string>();
  for (const pattern of patterns) {
    const paths = await pathsOf(pattern, signal);
    if (paths.length === 0) discovery.unmatched.push(pattern);
    for (const path of paths) {
      if (COMPRESSED.test(path)) {
        discovery.compressed.push(path);
        continue;
      }
      // Gone, not permitted, a loop of links, a stale mount: none of them ends the tail.
      const file = await fileInfo(path).catch(() => null);
      const key = file === null ? "" : fileKey(file);
      if (file === null || seen.has(key)) continue;
      seen.add(key);
      discovery.files.push(file);
    }
  }
  discovery.files.sort((a, b) => a.mtimeMs - b.mtimeMs || a.path.localeCompare(b.path));
  return discovery;
}

/** One key a file, whatever its path. */
export function fileKey({ device, inode }: { device: number; inode: number }): string {
  return `${device}:${inode}`;
}

async function pathsOf(pattern: string, signal: AbortSignal): Promise<string[]> {
  // A path that exists is meant as it is, whatever characters are in it.
  if (await exists(pattern)) return [pattern];
  if (!isDynamicPattern(pattern)) return [];
  return await glob(pattern, { absolute: true, dot: true, expandDirectories: false, signal });
}

async function exists(path: string): Promise<boolean> {
  return await fileInfo(path).catch(() => null) !== null;
}
