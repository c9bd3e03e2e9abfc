/** How a file generation is recognised: its inode, its first 1 KiB, the 4 KiB before its offset. */
import { sha256Hex } from "../../protocol/sha256.ts";
import type { Batch, Generation } from "../store/batch.ts";

/** Files shorter than this are told apart by their inode, unless one was just emptied. */
export const HEAD_BYTES = 1_024;
/** How much before its offset a generation is recognised by. */
export const TAIL_BYTES = 4_096;

/** How far back a line end is looked for when a file is read from its end. */
const LAST_LINE_BYTES_MAX = 2 ** 20;

/** A file as the file system knows it. */
export interface FileInfo {
  path: string;
  device: number;
  inode: number;
  size: number;
  mtimeMs: number;
  /** When its content or name last changed, as the file system says: nobody sets it. */
  ctimeMs: number;
}

/** One key a file, whatever its path. */
export function fileKey({ device, inode }: Pick<FileInfo, "device" | "inode">): string {
  return `${device}:${inode}`;
}

/** The same of an open file: what was opened, whoever has its path by now. */
export async function openFileInfo(path: string, file: Deno.FsFile): Promise<FileInfo | null> {
  return fileInfo(path, await file.stat());
}

/** Null when it is no regular file. */
export function fileInfo(path: string, stat: Deno.FileInfo): FileInfo | null {
  if (!stat.isFile) return null;
  return {
    path,
    device: stat.dev,
    inode: stat.ino ?? 0,
    size: stat.size,
    mtimeMs: stat.mtime?.getTime() ?? 0,
    ctimeMs: stat.ctime?.getTime() ?? 0,
  };
}

/** What something is that is no regular file: `it is a folder`. */
export function notAFile(stat: Deno.FileInfo): string {
  if (stat.isDirectory) return "it is a folder";
  if (stat.isFifo) return "it is a pipe";
  if (stat.isSocket) return "it is a socket";
  return stat.isCharDevice || stat.isBlockDevice ? "it is a device" : "it is no file";
}

/** A generation that has been read to the end of a batch. */
export function afterBatch(generation: Generation, batch: Batch): Generation {
  return {
    ...generation,
    offset: batch.endOffset,
    lines: generation.lines + batch.lines,
    tailSha256: sha256Hex(batch.tail),
  };
}

/** A generation that begins now. */
export function newGeneration(
  stream: string,
  file: Pick<FileInfo, "path" | "device" | "inode">,
  nowMs: number,
): Generation {
  return {
    id: crypto.getRandomValues(new Uint8Array(8)).toHex(),
    stream,
    path: file.path,
    device: file.device,
    inode: file.inode,
    offset: 0,
    lines: 0,
    headSha256: null,
    headBytes: 0,
    tailSha256: null,
    contentSha256: null,
    firstSeenMs: nowMs,
  };
}

/** A new generation of which nothing is read but what comes after the file's last whole line. */
export async function generationFromEnd(
  handle: Deno.FsFile,
  file: FileInfo,
  fresh: Generation,
): Promise<Generation> {
  const start = Math.max(0, file.size - LAST_LINE_BYTES_MAX);
  const bytes = await readAt(handle, start, new Uint8Array(file.size - start));
  const lastEnd = bytes.lastIndexOf(0x0a);
  const offset = lastEnd < 0 && start > 0 ? file.size : start + lastEnd + 1;
  return await generationFrom(handle, offset, fresh);
}

/** A new generation of which nothing is read but what comes after `offset`. */
export async function generationFrom(
  handle: Deno.FsFile,
  offset: number,
  fresh: Generation,
): Promise<Generation> {
  if (offset === 0) return fresh;
  const headBytes = Math.min(HEAD_BYTES, offset);
  return {
    ...fresh,
    offset,
    headBytes,
    headSha256: await headHash(handle, headBytes),
    tailSha256: sha256Hex(await bytesBefore(handle, offset)),
  };
}

/** Fills `buffer` from `offset` on; fewer bytes only at the file's end. */
export async function readAt(
  file: Deno.FsFile,
  offset: number,
  buffer: Uint8Array,
): Promise<Uint8Array> {
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < buffer.length) {
    const count = await file.read(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

/** The up to 4,096 bytes before `offset`. */
export async function bytesBefore(file: Deno.FsFile, offset: number): Promise<Uint8Array> {
  const length = Math.min(TAIL_BYTES, offset);
  return await readAt(file, offset - length, new Uint8Array(length));
}

/** The SHA-256 of the first `length` bytes. */
export async function headHash(file: Deno.FsFile, length: number): Promise<string> {
  return sha256Hex(await readAt(file, 0, new Uint8Array(length)));
}

/** Whether the open file holds all that was read of the generation. */
export async function holds(
  file: Deno.FsFile,
  size: number,
  generation: Generation,
): Promise<boolean> {
  const { offset, headSha256, headBytes, tailSha256 } = generation;
  if (size < offset || size < headBytes) return false;
  if (headSha256 !== null && await headHash(file, headBytes) !== headSha256) return false;
  return tailSha256 === null || sha256Hex(await bytesBefore(file, offset)) === tailSha256;
}

/** Whether the first bytes are these. */
export function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => bytes[i] === byte);
}

/** A copy of the last `length` bytes of `before` followed by `bytes`. */
export function lastBytes(before: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes.slice(bytes.length - length);
  const kept = before.subarray(Math.max(0, before.length + bytes.length - length));
  const joined = new Uint8Array(kept.length + bytes.length);
  joined.set(kept);
  joined.set(bytes, kept.length);
  return joined;
}
