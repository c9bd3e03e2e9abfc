/** Where restored text goes: standard output, or a folder with one file per generation. */
import { basename, join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import type { Source } from "./slices.ts";

/** Text of one file generation; of each there may be several, one behind the other. */
export interface RestoredPiece {
  source: Source;
  lines: number;
  bytes: number;
  /** Lines that are not whole. */
  cut: number;
}

/** A file with the text of some pieces, one behind the other; it is gone with the next portion. */
export interface Restored {
  file: string;
  pieces: RestoredPiece[];
}

/** Takes restored text in its order. */
export type TextSink = (restored: Restored) => Promise<void>;

/** Everything, one file behind the other. */
export async function toStdout({ file }: Restored): Promise<void> {
  using source = await Deno.open(file);
  const buffer = new Uint8Array(256 * 1024);
  for (let count = await source.read(buffer); count !== null; count = await source.read(buffer)) {
    await writeAll(Deno.stdout, buffer.subarray(0, count));
  }
}

/**
 * A file per generation, called like it was, with the generation behind: `access.log.1.4c1f…`.
 * @throws {LogvendError} usage, where one is there already or cannot be written
 */
export async function intoFolder(folder: string): Promise<TextSink & AsyncDisposable> {
  let open: { id: string; file: Deno.FsFile } | null = null;
  await makeFolder(folder);
  const fileOf = async (source: Source): Promise<Deno.FsFile> => {
    if (open?.id === source.id) return open.file;
    open?.file.close();
    open = { id: source.id, file: await create(join(folder, restoredName(source))) };
    return open.file;
  };
  const take: TextSink = async ({ file, pieces }) => {
    using from = await Deno.open(file);
    for (const { source, bytes } of pieces) await copyBytes(from, await fileOf(source), bytes);
  };
  return Object.assign(take, {
    [Symbol.asyncDispose]: () => Promise.resolve(open?.file.close()),
  });
}

/** The name of a generation's file. */
export function restoredName({ path, id }: Source): string {
  return `${basename(path)}.${id}`;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    throw new LogvendError("usage", `Cannot write to ${path}: ${reasonOf(cause)}`, { cause });
  }
}

async function create(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { createNew: true, write: true });
  } catch (cause) {
    throw new LogvendError("usage", `Cannot write ${path}: ${reasonOf(cause)}`, { cause });
  }
}

async function copyBytes(from: Deno.FsFile, to: Deno.FsFile, bytes: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(bytes, 256 * 1024));
  for (let left = bytes; left > 0;) {
    const count = await from.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === null) throw new LogvendError("internal", "The restored text is cut short");
    await writeAll(to, buffer.subarray(0, count));
    left -= count;
  }
}

async function writeAll(to: { write(bytes: Uint8Array): Promise<number> }, bytes: Uint8Array) {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}
