/** Reads one whole log file once, `.gz` too: what is in the store already is not read again. */
import { createHash } from "node:crypto";
import type { BatchSink, Generation } from "../store/batch.ts";
import { BatchMaker } from "./batches.ts";
import { LineCutter, WINDOW_BYTES } from "./blocks.ts";
import { openSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { HEAD_BYTES, lastBytes, newGeneration, sha256, TAIL_BYTES } from "./identity.ts";
import type { LineForm } from "./line_form.ts";

/** What is read, and where to. */
export interface ReadFileOptions {
  path: string;
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
  const { path, stream, sink, grows = () => false, signal, nowMs = Date.now } = options;
  const source = await openSource(path);
  const head = await headOf(source);
  const known = candidates(sink.generations(stream), source, head);
  const survey = known.length === 0 ? null : await surveyOf(source, known, signal);
  const found = survey?.found ?? null;
  const generation = found?.generation ??
    newGeneration(stream, { path, ...idOf(source) }, nowMs());
  if (found === null) sink.putGeneration({ ...generation, ...headFacts(head) });
  const reader = new Reader(options, generation, found?.before ?? new Uint8Array());
  const hash = generation.offset === 0 ? createHash("sha256") : null;
  let bytes = generation.offset;
  for await (const chunk of source.bytes(generation.offset, signal)) {
    hash?.update(chunk);
    bytes += chunk.length;
    await reader.add(chunk);
  }
  await reader.end(!grows(generation) && !grows(idOf(source)));
  const surveyed = survey?.bytes === reader.generation.offset ? survey.sha256 : null;
  const contentSha256 = hash?.digest("hex") ?? surveyed ?? generation.contentSha256;
  sink.putGeneration({ ...reader.generation, ...headFacts(head), contentSha256 });
  return { ...reader.result, unfinishedBytes: bytes - reader.generation.offset };
}

/** Cuts chunks into lines and appends them. */
class Reader {
  private readonly window = new Uint8Array(WINDOW_BYTES);
  private readonly cutter: LineCutter;
  private readonly maker: BatchMaker;
  private filled = 0;
  readonly result = { lines: 0, rows: 0, rejects: 0, bytesRead: 0, skipped: true };

  /** `before`: the up to 4,096 bytes before the generation's offset. */
  constructor(
    private readonly options: ReadFileOptions,
    public generation: Generation,
    private before: Uint8Array,
  ) {
    this.cutter = new LineCutter(generation.offset, options.form.records);
    this.maker = new BatchMaker(generation.id, options.form, options.nowMs ?? Date.now);
  }

  async add(chunk: Uint8Array) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + this.window.length - this.filled);
      this.window.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === this.window.length) await this.cut(false);
    }
  }

  /** `final`: nothing comes after what was added. */
  async end(final: boolean) {
    while (await this.cut(final) > 0);
  }

  private async cut(final: boolean): Promise<number> {
    const window = this.window.subarray(0, this.filled);
    const cut = this.cutter.cut(window, final);
    if (cut.kind !== "more") {
      for (const batch of this.maker.batches({ cut, window, before: this.before })) {
        this.options.signal?.throwIfAborted();
        await this.options.sink.append(batch);
        this.count(batch.lines, batch.rejects.length, batch.endOffset - batch.startOffset);
        const { generation } = this;
        this.generation = {
          ...generation,
          offset: batch.endOffset,
          lines: generation.lines + batch.lines,
          tailSha256: sha256(batch.tail),
        };
      }
    }
    this.before = lastBytes(this.before, window.subarray(0, cut.consumed), TAIL_BYTES);
    this.window.copyWithin(0, cut.consumed, this.filled);
    this.filled -= cut.consumed;
    return cut.consumed;
  }

  private count(lines: number, rejects: number, bytes: number) {
    this.result.lines += lines;
    this.result.rejects += rejects;
    this.result.rows += lines - rejects;
    this.result.bytesRead += bytes;
    this.result.skipped = false;
  }
}

/** The first KiB; all of a shorter file. */
async function headOf(source: ByteSource): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of source.bytes(0)) {
    const joined = new Uint8Array(head.length + chunk.length);
    joined.set(head);
    joined.set(chunk, head.length);
    head = joined.subarray(0, HEAD_BYTES);
    if (head.length === HEAD_BYTES) break;
  }
  return head;
}

/** Generations that this file may be: told by its start, or by all of it when it is short. */
function candidates(
  generations: readonly Generation[],
  { packed, info }: ByteSource,
  head: Uint8Array,
): Generation[] {
  const whole = head.length < HEAD_BYTES ? sha256(head) : null;
  return generations.filter(({ device, inode, headBytes, headSha256, contentSha256 }) => {
    if (whole !== null && contentSha256 === whole) return true;
    const sameFile = !packed && device === info.dev && inode === info.ino;
    if (headBytes > head.length || (headBytes < HEAD_BYTES && !sameFile)) return false;
    return headSha256 === null || sha256(head.subarray(0, headBytes)) === headSha256;
  });
}

interface Survey {
  /** The generation whose last bytes are where they should be; of several the longest read. */
  found: { generation: Generation; before: Uint8Array } | null;
  bytes: number;
  sha256: string;
}

/** Reads the file once to see which of the generations it is. */
async function surveyOf(
  source: ByteSource,
  known: readonly Generation[],
  signal?: AbortSignal,
): Promise<Survey> {
  const shortestFirst = known.toSorted((a, b) => a.offset - b.offset);
  const hash = createHash("sha256");
  let found: Survey["found"] = null;
  let before: Uint8Array = new Uint8Array();
  let bytes = 0;
  const check = (chunk: Uint8Array) => {
    while (shortestFirst[0] !== undefined && shortestFirst[0].offset <= bytes + chunk.length) {
      const generation = shortestFirst[0];
      shortestFirst.shift();
      const tail = lastBytes(before, chunk.subarray(0, generation.offset - bytes), TAIL_BYTES);
      const same = generation.offset === 0 || sha256(tail) === generation.tailSha256;
      if (same) found = { generation, before: tail };
    }
  };
  check(before);
  for await (const chunk of source.bytes(0, signal)) {
    check(chunk);
    hash.update(chunk);
    before = lastBytes(before, chunk, TAIL_BYTES);
    bytes += chunk.length;
  }
  return { found, bytes, sha256: hash.digest("hex") };
}

/** A packed file's inode is not the one that its content was, or will be, followed under. */
function idOf({ packed, info }: ByteSource): FileId {
  return packed ? { device: 0, inode: 0 } : { device: info.dev, inode: info.ino ?? 0 };
}

/** What tells a file by its start: its first KiB, or all of a shorter file. */
function headFacts(head: Uint8Array): Partial<Generation> {
  const headSha256 = head.length === 0 ? null : sha256(head);
  const facts = { headBytes: head.length, headSha256 };
  return head.length < HEAD_BYTES ? { ...facts, contentSha256: headSha256 } : facts;
}
