/** The bytes of a whole file, `.gz` and `.zst` unpacked while being read. */
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { LogvendError } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import { notAFile, readAt } from "./identity.ts";

/** How packed files begin, and what unpacks them: every member or frame of a file. */
const PACKINGS = [
  { magic: [0x1f, 0x8b], unpacker: createGunzip },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], unpacker: createZstdDecompress },
] as const;

type Unpacker = typeof PACKINGS[number]["unpacker"];

const MAGIC_BYTES = 4;

/** A file that can be read from any offset, as often as wanted. */
export interface ByteSource {
  /** Whether the file is gzip or zstd; offsets count unpacked bytes. */
  packed: boolean;
  info: Deno.FileInfo;
  /** Chunks of any size from `offset` on. Closes the file, also when the caller stops early. */
  bytes(offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array>;
}

/** Looks at a file. @throws {LogvendError} usage, when it is no readable file */
export async function openSource(path: string): Promise<ByteSource> {
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) throw new Error(notAFile(info)); // opening a pipe waits for who writes to it
    using file = await Deno.open(path);
    const start = await readAt(file, 0, new Uint8Array(MAGIC_BYTES));
    const packing = PACKINGS.find(({ magic }) => magic.every((byte, i) => start[i] === byte));
    const bytes = packing === undefined ? plain(path) : unpacked(path, packing.unpacker);
    return { packed: packing !== undefined, info, bytes };
  } catch (cause) {
    throw new LogvendError("usage", `Cannot read ${path}: ${reasonOf(cause)}`, { cause });
  }
}

function plain(path: string): ByteSource["bytes"] {
  return async function* (offset, signal) {
    using file = await Deno.open(path);
    await file.seek(offset, Deno.SeekMode.Start);
    const buffer = new Uint8Array(256 * 1024);
    for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
      signal?.throwIfAborted();
      yield buffer.subarray(0, count);
    }
  };
}

function unpacked(path: string, unpacker: Unpacker): ByteSource["bytes"] {
  return async function* (offset, signal) {
    // node:zlib reads all members of a file; DecompressionStream takes one.
    const stream = unpacker({ chunkSize: 256 * 1024 });
    const file = await Deno.open(path);
    // The loop below throws what the pipeline reports: it destroys the stream with the error.
    pipeline(Readable.from(file.readable), stream, () => {});
    let skip = offset;
    try {
      for await (const chunk of stream) {
        signal?.throwIfAborted();
        if (!(chunk instanceof Uint8Array)) throw new TypeError("unpacking gave no bytes");
        const rest = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - rest.length;
        if (rest.length > 0) yield rest;
      }
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw new LogvendError("usage", `Cannot unpack ${path}: ${reasonOf(cause)}`, { cause });
    } finally {
      stream.destroy();
    }
  };
}
