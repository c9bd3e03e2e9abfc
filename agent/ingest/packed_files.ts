/**
 * Reads what log rotation packed: a `.gz` or `.zst` file is read once, whole, from where its content
 * was read to before it was packed. One after the other, beside the files that grow.
 */
import { getLogger } from "@logtape/logtape";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { BatchSink, Generation, PackedNote } from "../store/batch.ts";
import type { StreamConfig } from "../stream_config.ts";
import { BatchReader } from "./batch_reader.ts";
import { openSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { bytesBefore, fileInfo, fileKey, HEAD_BYTES, holds, newGeneration } from "./identity.ts";
import type { FileInfo } from "./identity.ts";
import type { Known } from "./identify.ts";
import type { LineForm } from "./line_form.ts";
import { headFacts, headOf, lastBytesBefore, surveyOf } from "./survey.ts";
import type { Survey } from "./survey.ts";

/** A file that changed within this time may still be being written. */
const WRITING_MS = 2_000;

/** What packed files need. */
export interface PackedFilesOptions {
  stream: StreamConfig;
  form: LineForm;
  sink: BatchSink;
  known: Known;
  nowMs: () => number;
  signal: AbortSignal;
  /** Told once why a file cannot be read. */
  complain: (path: string, reason: string) => void;
}

/** When a look takes place. */
interface Moment {
  /** Whether every file that grows has been read to its end. */
  isCaughtUp: boolean;
  /** Files that were there before the agent ever was, and are not wanted. */
  unwanted: readonly FileInfo[];
}

/** The packed files of one stream. */
export class PackedFiles {
  private readonly log = getLogger(["agent", "tail"]);
  /** What a file was when it was dealt with: the same again needs nothing. */
  private readonly settled = new Map<string, string>();
  /** Which file accounts for a short generation: two may hold the same few lines. */
  private readonly accounted = new Map<string, string>();
  /** Files that were there before the agent ever was, of a stream that is read from its end. */
  private readonly unwanted = new Set<string>();
  private work: Promise<void> | null = null;
  private failure: unknown = null;
  private waiting = 0;

  /** Id of the generation that is being read. */
  reading: string | null = null;
  /** Lines handed on so far. */
  lines = 0;

  /** What is to be noted for the next start. */
  private notes: PackedNote[] = [];
  /** Files that were noted, and are no more. */
  private readonly gone = new Set<string>();

  constructor(private readonly options: PackedFilesOptions) {
    const { stream, sink, known: { history } } = options;
    for (const { file, state, generation, bytes } of sink.packed?.of(stream.name) ?? []) {
      const noted = history.get(generation);
      // Rows that were not durable yet are read again, whatever was noted.
      if (noted === undefined || noted.offset < bytes) continue;
      this.settled.set(file, state);
      if (noted.headBytes < HEAD_BYTES) this.accounted.set(generation, file);
    }
  }

  /** Whether there is nothing to do. */
  get isIdle(): boolean {
    return this.work === null && this.waiting === 0;
  }

  /**
   * Takes what a look at the folder found, and begins with the files that are new there.
   * @throws what the sink threw meanwhile
   */
  look(files: readonly FileInfo[], { isCaughtUp, unwanted }: Moment) {
    if (this.failure !== null) throw this.failure;
    for (const file of unwanted) this.unwanted.add(fileKey(file));
    const present = new Set(files.map(fileKey));
    for (const key of this.settled.keys()) {
      if (present.has(key)) continue;
      this.settled.delete(key);
      this.gone.add(key);
    }
    const waiting = files.filter((file) => this.settled.get(fileKey(file)) !== stateOf(file));
    this.waiting = waiting.length;
    // What is being read may be what a file holds: first things first.
    if (!isCaughtUp || waiting.length === 0 || this.work !== null) return;
    this.work = this.takeAll(waiting)
      .catch((error) => {
        if (!this.options.signal.aborted) this.failure = error ?? new Error("The sink failed");
      })
      .finally(() => this.work = null);
  }

  /** Resolves when nothing is being read any more. */
  async ended(): Promise<void> {
    await this.work;
  }

  private isBeingWritten({ mtimeMs, ctimeMs }: FileInfo): boolean {
    return Math.abs(this.options.nowMs() - Math.max(mtimeMs, ctimeMs)) < WRITING_MS;
  }

  /** One look's files: a look for each would take as many seconds, during which no hour is sealed. */
  private async takeAll(files: readonly FileInfo[]): Promise<void> {
    for (const file of files) {
      if (this.options.signal.aborted) break;
      if (!this.isBeingWritten(file) && await isStill(file)) await this.take(file);
    }
    this.noteAll();
  }

  /** Where there is no room for notes, files are looked through once more. */
  private noteAll() {
    const { stream, sink } = this.options;
    const noted = this.notes.splice(0);
    try {
      sink.packed?.change(stream.name, { noted, gone: [...this.gone] });
    } catch (error) {
      this.log.debug("Cannot note which packed files were read: {error}", {
        error: messageOf(error),
      });
    }
    this.gone.clear();
  }

  private async take(file: FileInfo): Promise<void> {
    try {
      await this.read(file);
    } catch (error) {
      if (!(error instanceof LogvendError && error.code === "usage")) throw error;
      this.options.complain(file.path, error.message);
    } finally {
      this.reading = null;
    }
    this.settled.set(fileKey(file), stateOf(file));
    this.waiting = Math.max(0, this.waiting - 1);
  }

  /** @throws {LogvendError} usage, when the file is no packed file, or not whole */
  private async read(file: FileInfo): Promise<void> {
    const { stream, nowMs, signal } = this.options;
    const source = await openSource(file.path);
    if (!source.packed) throw new LogvendError("usage", "It is not packed, whatever its name says");
    const head = await headOf(source);
    const candidates = this.candidates(file, head);
    const isOld = file.mtimeMs < nowMs() - stream.ignore_older;
    if (head.length === 0 || (isOld && candidates.every(isWhole))) return;
    const survey = await surveyOf(source, candidates, signal);
    if (await this.isCopy(candidates, survey)) return;
    const facts = { ...headFacts(head), contentSha256: survey.sha256 };
    const found = survey.found?.generation;
    if (found === undefined && isOld) return;
    const fresh = {
      ...newGeneration(stream.name, { ...file, device: 0, inode: 0 }, nowMs()),
      ...facts,
    };
    if (found === undefined && this.unwanted.has(fileKey(file))) {
      const tailSha256 = sha256Hex(survey.tail);
      this.put({ ...fresh, offset: survey.bytes, tailSha256 });
      this.note(file, { id: fresh.id, offset: survey.bytes });
      return;
    }
    const { former } = this.options.known;
    const generation = found === undefined ? fresh : former.start(found);
    if (found === undefined) this.put(fresh);
    else if (generation !== found) this.options.sink.putGeneration(generation);
    if (generation.headBytes < HEAD_BYTES) this.accounted.set(generation.id, fileKey(file));
    this.reading = generation.id;
    const before = generation === found && survey.found !== null
      ? survey.found.before
      : await lastBytesBefore(source, generation.offset);
    if (generation.offset < survey.bytes) {
      const { path } = file;
      this.log.info("{path} is read from byte {offset} on", { path, offset: generation.offset });
    }
    const end = await this.readOn(source, generation, before);
    this.put({ ...end, ...facts });
    this.note(file, { id: end.id, offset: survey.bytes });
  }

  private note(file: FileInfo, { id, offset }: Pick<Generation, "id" | "offset">) {
    this.notes.push({ file: fileKey(file), state: stateOf(file), generation: id, bytes: offset });
  }

  /** Reads from where a generation stands to the end. */
  private async readOn(
    source: ByteSource,
    generation: Generation,
    before: Uint8Array,
  ): Promise<Generation> {
    const { form, sink, nowMs, signal } = this.options;
    const reader = new BatchReader({ form, sink, nowMs, signal }, generation, before);
    for await (const chunk of source.bytes(generation.offset, signal)) await reader.add(chunk);
    await reader.end(true);
    this.lines += reader.result.lines;
    return reader.generation;
  }

  /** Generations that a file may hold, by its beginning. */
  private candidates(file: FileInfo, head: Uint8Array): Generation[] {
    const { history } = this.options.known;
    const long = head.length === HEAD_BYTES ? history.withHead(sha256Hex(head)) : [];
    const short = history.short().filter(({ id, headBytes, headSha256 }) => {
      const accountedBy = this.accounted.get(id) ?? fileKey(file);
      return accountedBy === fileKey(file) && headBytes <= head.length &&
        sha256Hex(head.subarray(0, headBytes)) === headSha256;
    });
    return [...long, ...short];
  }

  /** Whether a file that is still there, and is read itself, holds the same. */
  private async isCopy(candidates: readonly Generation[], survey: Survey): Promise<boolean> {
    for (const generation of candidates) {
      const isThere = await this.options.known.withOriginal(generation, async (original) => {
        if (original === null) return false;
        const { size } = await original.stat();
        if (size < survey.bytes || !await holds(original, size, generation)) return false;
        const end = await bytesBefore(original, survey.bytes);
        return sha256Hex(end) === sha256Hex(survey.tail);
      });
      if (isThere) return true;
    }
    return false;
  }

  private put(generation: Generation) {
    const { sink, known: { former, history } } = this.options;
    sink.putGeneration(generation);
    history.put(former.toldBy(generation));
  }
}

/** Whether all of a generation is known to have been read. */
function isWhole({ headBytes, contentSha256 }: Generation): boolean {
  return headBytes === HEAD_BYTES && contentSha256 !== null;
}

/** Whether the same file is still there, unchanged; if not, the next look tells what is. */
async function isStill(file: FileInfo): Promise<boolean> {
  const now = await Deno.stat(file.path).then((stat) => fileInfo(file.path, stat), () => null);
  return now !== null && fileKey(now) === fileKey(file) && stateOf(now) === stateOf(file);
}

function stateOf({ size, mtimeMs }: FileInfo): string {
  return `${size} ${mtimeMs}`;
}
