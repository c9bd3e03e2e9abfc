/** Reads one whole log file once, `.gz` and `.zst` too: what is in the store already is not read again. */
import { createHash } from "node:crypto";
import type { BatchSink, Generation } from "../store/batch.ts";
import { BatchReader } from "./batch_reader.ts";
import { openSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { HEAD_BYTES, newGeneration } from "./identity.ts";
import type { LineForm } from "./line_form.ts";
import { headFacts, headOf, surveyOf } from "./survey.ts";

/** What is read, and where to. */
export interface ReadFileOptions {
  path: string;
  /** What the store calls it, if it is no file that is there to stay. @default its path */
  name?: string;
  stream: string;
  form: LineForm;
  sink: BatchSink;
  /** Whether a file is one that something still writes to and a tail reads on. @default none is */
  grows?: (file: FileId) => boolean;
  signal?: AbortSignal;
  /** Wall clock, milliseconds since 1970. @default Date.now */
  nowMs?: () => number;
}

/** What was added to the sink. */
export interface ReadFileResult {
  lines: number;
  rows: number;
  rejects: number;
  /** Bytes of those lines, unpacked. */
  bytesRead: number;
  /** Every line was in the store already. */
  skipped: boolean;
  /** Bytes of an unfinished last line that were left for the tail. */
  unfinishedBytes: number;
}

/** A file, whatever its path. */
export type FileId = Pick<Generation, "device" | "inode">;

/**
 * Hands the lines of a file to a sink. Content that was read before, from this file or another,
 * followed or imported, packed or not, goes on where it ended. A last line needs no line end, unless
 * the file grows: its rest is still to come, and the tail takes it when it is whole.
 * @throws {LogvendError} usage, when the file cannot be read or unpacked
 */
export async function readFile(options: ReadFileOptions): Promise<ReadFileResult> {
  const { path, name, stream, sink, grows = () => false, signal, nowMs = Date.now } = options;
  const source = await openSource(path);
  const head = await headOf(source);
  const known = candidates(sink.generations(stream), source, head);
  const survey = known.length === 0 ? null : await surveyOf(source, known, signal);
  const found = survey?.found ?? null;
  const generation = found?.generation ??
    newGeneration(stream, { path: name ?? path, ...idOf(source, name) }, nowMs());
  if (found === null) sink.putGeneration({ ...generation, ...headFacts(head) });
  const reader = new BatchReader(
    { ...options, nowMs },
    generation,
    found?.before ?? new Uint8Array(),
  );
  const hash = generation.offset === 0 ? createHash("sha256") : null;
  let bytes = generation.offset;
  for await (const chunk of source.bytes(generation.offset, signal)) {
    hash?.update(chunk);
    bytes += chunk.length;
    await reader.add(chunk);
  }
  await reader.end(!grows(generation) && !grows(idOf(source, name)));
  const surveyed = survey?.bytes === reader.generation.offset ? survey.sha256 : null;
  const contentSha256 = hash?.digest("hex") ?? surveyed ?? generation.contentSha256;
  sink.putGeneration({ ...reader.generation, ...headFacts(head), contentSha256 });
  return { ...reader.result, unfinishedBytes: bytes - reader.generation.offset };
}

/** Generations that this file may be: told by its start, or by all of it when it is short. */
function candidates(
  generations: readonly Generation[],
  { packed, info }: ByteSource,
  head: Uint8Array,
): Generation[] {
  const whole = head.length < HEAD_BYTES ? sha256Hex(head) : null;
  return generations.filter(({ device, inode, headBytes, headSha256, contentSha256 }) => {
    if (whole !== null && contentSha256 === whole) return true;
    const sameFile = !packed && device === info.dev && inode === info.ino;
    if (headBytes > head.length || (headBytes < HEAD_BYTES && !sameFile)) return false;
    return headSha256 === null || sha256Hex(head.subarray(0, headBytes)) === headSha256;
  });
}

/** The inode of a packed file, or one with another name, is not that which its content is followed under. */
function idOf({ packed, info }: ByteSource, name: string | undefined): FileId {
  return packed || name !== undefined
    ? { device: 0, inode: 0 }
    : { device: info.dev, inode: info.ino ?? 0 };
}
