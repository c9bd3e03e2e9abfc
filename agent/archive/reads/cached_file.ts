/**
 * A file of the cache, and the note beside it that says what it holds: so it outlives the agent. What
 * is noted is hashed before it is used by another process than the one that fetched it.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { sha256Hex } from "../../../protocol/sha256.ts";
import { footerFrom } from "../../../queries/chunk/footer.ts";
import type { Footer } from "../../../queries/chunk/footer.ts";
import { unite } from "../../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../../protocol/archive/ranges.ts";

/** What a stretch of a file has to be. */
const Piece = z.object({ start: z.number(), end: z.number(), sha256: z.string() });
type Piece = z.infer<typeof Piece>;

const Note = z.object({
  /** Of the object's key and ETag. */
  id: z.string(),
  /** Of these row groups of it. */
  name: z.string(),
  /** The object's. */
  key: z.string(),
  bytes: z.number(),
  pieces: z.array(Piece),
  /** The whole one, and where it begins. */
  footer: z.object({ offset: z.number(), base64: z.string(), sha256: z.string() }),
});
type Note = z.infer<typeof Note>;

/** Of a note, beside the footer that is in it; of each stretch. */
const NOTE_BYTES = 400;
const PIECE_BYTES = 120;

/** A file of the cache: some row groups of an object. */
export interface CachedFile {
  id: string;
  name: string;
  path: string;
  /** Of the object. */
  key: string;
  /** Whether it has its footer. */
  begun: boolean;
  /** What of the object is in it. */
  present: ByteRange[];
  /** The same as it was written, and the footer. */
  pieces: Piece[];
  /** Whether this process has written it, or hashed it. */
  isSure: boolean;
  /** With its note. */
  bytes: number;
  readers: number;
}

/** What a file takes at first: two footers, its own and the one in its note. */
export function firstBytes({ bytes }: Footer): number {
  return bytes.length + Math.ceil(bytes.length * 4 / 3) + NOTE_BYTES;
}

/** What some requests take. */
export function addedBytes(requests: readonly ByteRange[]): number {
  return requests.reduce((sum, { start, end }) => sum + end - start + PIECE_BYTES, 0);
}

/** A stretch of a file as it is written. */
export function pieceOf(start: number, bytes: Uint8Array): Piece {
  return { start, end: start + bytes.length, sha256: sha256Hex(bytes) };
}

/** Notes what a file holds by now; whole or not at all. */
export async function writeNote(file: CachedFile, footer: Footer): Promise<void> {
  const { id, name, key, bytes, pieces } = file;
  const base64 = footer.bytes.toBase64();
  const note: Note = {
    ...{ id, name, key, bytes, pieces },
    footer: { offset: footer.offset, base64, sha256: sha256Hex(base64) },
  };
  await Deno.writeTextFile(`${file.path}.new`, JSON.stringify(note));
  await Deno.rename(`${file.path}.new`, noteOf(file.path));
}

/** The footer that is in a file's note; null: it is not what was written. */
export async function notedFooter({ path }: CachedFile): Promise<Footer | null> {
  const note = await readNote(noteOf(path));
  if (note === null || sha256Hex(note.footer.base64) !== note.footer.sha256) return null;
  return footerFrom(Uint8Array.fromBase64(note.footer.base64), note.footer.offset);
}

/** Whether a file has what its note says. */
export async function isIntact({ path, pieces }: CachedFile): Promise<boolean> {
  const file = await open(path).catch(() => null); // whatever it is, it is fetched again
  if (file === null) return false;
  try {
    for (const { start, end, sha256 } of pieces) {
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length || sha256Hex(bytes) !== sha256) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}

/** Removes a file and its note. */
export function removeFile({ path }: Pick<CachedFile, "path">) {
  for (const one of [noteOf(path), path]) {
    try {
      Deno.removeSync(one);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The files of a folder that have notes, the oldest first; others are removed. */
export async function loadFiles(folder: string): Promise<CachedFile[]> {
  const found: { file: CachedFile; notedMs: number }[] = [];
  const unused = new Set((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name));
  for (const name of [...unused].filter((name) => unused.has(`${name}${NOTE_END}`))) {
    const path = join(folder, name);
    const note = await readNote(noteOf(path));
    if (note === null) continue;
    const notedMs = (await Deno.stat(noteOf(path))).mtime?.getTime() ?? 0;
    found.push({ file: fileOf(path, note), notedMs });
    unused.delete(name);
    unused.delete(`${name}${NOTE_END}`);
  }
  for (const name of unused) await Deno.remove(join(folder, name), { recursive: true });
  return found.toSorted((a, b) => a.notedMs - b.notedMs).map(({ file }) => file);
}

function fileOf(path: string, { id, name, key, bytes, pieces, footer }: Note): CachedFile {
  const present = unite(pieces.filter(({ start }) => start < footer.offset));
  const state = { begun: true, isSure: false, readers: 0 };
  return { id, name, path, key, present, pieces, bytes, ...state };
}

async function readNote(path: string): Promise<Note | null> {
  try {
    return Note.parse(JSON.parse(await Deno.readTextFile(path)));
  } catch {
    return null; // none of ours, or of another version: it is fetched again
  }
}

const NOTE_END = ".json";

function noteOf(path: string): string {
  return `${path}${NOTE_END}`;
}
