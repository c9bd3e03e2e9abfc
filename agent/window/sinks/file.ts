/** JSON lines at the end of a file, synced; or on standard output. */
import { messageOf } from "../../../protocol/errors.ts";
import { orAborted } from "../or_aborted.ts";
import { ALL_TAKEN, SinkError, withoutClosing } from "./sink.ts";
import type { Outgoing, Sink } from "./sink.ts";

export interface FileSinkOptions {
  path: string;
  /** A file that has grown to this is renamed to `….1`, in place of the one before. */
  bytesMax: number;
}

/** Appends to a file that others may read, move or remove. */
export function fileSink({ path, bytesMax }: FileSinkOptions): Sink {
  return withoutClosing(async (events) => {
    await rotate(path, bytesMax);
    using file = await Deno.open(path, { append: true, create: true });
    const { size } = await file.stat();
    const bytes = linesOf(events);
    let written = 0;
    try {
      while (written < bytes.length) written += await file.write(bytes.subarray(written));
      await file.sync();
    } catch (error) {
      await file.truncate(size).catch(() => {}); // no half of a line stays
      throw error;
    }
    return ALL_TAKEN;
  });
}

async function rotate(path: string, bytesMax: number) {
  try {
    if ((await Deno.stat(path)).size >= bytesMax) await Deno.rename(path, `${path}.1`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Writes to a stream that somebody else reads; who reads no more is waited for until the signal. */
export function streamSink(stream: WritableStream<Uint8Array<ArrayBuffer>>): Sink {
  let before: Promise<void> = Promise.resolve(); // what was begun cannot be taken back
  return withoutClosing(async (events, signal) => {
    try {
      await orAborted(before, signal);
      signal.throwIfAborted();
      const writing = write(stream, linesOf(events));
      before = writing.catch(() => {}); // who waits for it says so
      await orAborted(writing, signal);
      signal.throwIfAborted();
    } catch (cause) {
      throw new SinkError(`Nobody reads standard output: ${messageOf(cause)}`);
    }
    return ALL_TAKEN;
  });
}

async function write(
  stream: WritableStream<Uint8Array<ArrayBuffer>>,
  bytes: Uint8Array<ArrayBuffer>,
) {
  const writer = stream.getWriter();
  try {
    await writer.write(bytes);
  } finally {
    writer.releaseLock();
  }
}

function linesOf(events: readonly Outgoing[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(events.map(({ body }) => `${body}\n`).join(""));
}
