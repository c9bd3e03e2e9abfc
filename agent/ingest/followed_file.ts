/** One file being followed: reads what was added, notices truncation, and can be closed meanwhile. */
import { getLogger } from "@logtape/logtape";
import type { Batch, BatchSink, Gap, Generation } from "../store/batch.ts";
import { BatchMaker } from "./batches.ts";
import { LineCutter, WINDOW_BYTES } from "./blocks.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import {
  afterBatch,
  bytesBefore,
  HEAD_BYTES,
  lastBytes,
  newGeneration,
  openFileInfo,
  readAt,
  startsWith,
  TAIL_BYTES,
} from "./identity.ts";
import type { FileInfo } from "./identity.ts";
import type { LineForm } from "./line_form.ts";

/** A read overlaps what was read before: changed bytes there tell a truncated, regrown file. */
export const READ_BYTES = TAIL_BYTES + WINDOW_BYTES;

const START_BYTES = 64;

const LINE_END = 0x0a;

/** What following a file needs. */
export interface FollowedFileOptions {
  file: FileInfo;
  generation: Generation;
  form: LineForm;
  sink: BatchSink;
  nowMs: () => number;
  /** Told the marks of a generation that ends here. */
  ended: (generation: Generation) => void;
}

/** A file of one generation at a time, with the place where reading goes on. */
export class FollowedFile implements Disposable {
  private readonly log = getLogger(["agent", "tail"]);
  private handle: Deno.FsFile | null = null;
  private cutter: LineCutter;
  private maker: BatchMaker;
  /** First bytes of the file when it was opened, up to 64, until it changes: they tell most logs apart. */
  private start: Uint8Array = new Uint8Array();
  /** First bytes of the generation, up to 1 KiB. */
  private head: Uint8Array = new Uint8Array();
  /** Where the next read goes on; inside a line only when that is too long. */
  private position: number;
  private before: Uint8Array = new Uint8Array();
  /** Size and time when it was last read to its end: the same again has nothing new. */
  private seen = { size: -1, mtimeMs: -1 };
  /** Whether whole lines wait for the end of their record. */
  private holdsRecord = false;
  /** Whether they have waited long enough: nothing was added to the file. */
  private isQuiet = false;
  /** When the file was last seen to have changed, by the wall clock. */
  private changedAtMs = 0;
  private size: number;
  /** Size of the generation when it was last seen whole. */
  private sizeWhole: number;

  file: FileInfo;
  generation: Generation;
  /** Whether the last look found nothing new. */
  caughtUp = false;
  /** Whether the last read, all handed on by now, reached the end of the file as it was then. */
  isAtEnd = false;
  /** Looks so far. */
  reads = 0;
  /** When something was last read, by the monotonic clock. */
  activeAtMs = 0;
  /** No path of the stream leads to it any more. */
  gone = false;
  /** The file that had this path before: it is read to its end first. */
  predecessor: FollowedFile | null = null;

  private constructor(private readonly options: FollowedFileOptions) {
    this.file = options.file;
    this.size = options.file.size;
    this.sizeWhole = options.file.size;
    this.generation = options.generation;
    this.position = options.generation.offset;
    this.cutter = new LineCutter(this.position, options.form.records);
    this.maker = this.newMaker();
  }

  /** Goes on with a generation where it stands; `handle` is taken over. */
  static async open(options: FollowedFileOptions, handle: Deno.FsFile): Promise<FollowedFile> {
    const followed = new FollowedFile(options);
    const { offset } = options.generation;
    followed.handle = handle;
    followed.before = await bytesBefore(handle, offset);
    followed.start = await readAt(handle, 0, new Uint8Array(START_BYTES));
    followed.head = await readAt(handle, 0, new Uint8Array(Math.min(HEAD_BYTES, offset)));
    return followed;
  }

  /** Whether it holds a descriptor; reading opens it again. */
  get isOpen(): boolean {
    return this.handle !== null;
  }

  /** Bytes that were there at the last look and have not become rows or rejects. */
  get behindBytes(): number {
    return Math.max(0, this.size - this.generation.offset);
  }

  /** Bytes of the file as it was last seen. */
  get bytes(): number {
    return this.size;
  }

  /** Takes what a new look at the folder says: perhaps another path. */
  sighted(file: FileInfo) {
    this.gone = false;
    this.size = file.size;
    const hasChanged = file.size !== this.file.size || file.mtimeMs !== this.file.mtimeMs;
    if (hasChanged) this.start = new Uint8Array(); // it may have been written anew
    if (file.size !== this.seen.size || file.mtimeMs !== this.seen.mtimeMs) this.caughtUp = false;
    if (file.path !== this.file.path) {
      this.generation = { ...this.generation, path: file.path };
      this.options.sink.putGeneration(this.generation);
    }
    this.file = file;
  }

  /** False when it surely begins with other bytes; the file itself is not looked at. */
  mayBeginWith(bytes: Uint8Array): boolean {
    const known = this.head.length > this.start.length ? this.head : this.start;
    const length = Math.min(known.length, bytes.length);
    return startsWith(bytes, known.subarray(0, length));
  }

  /** The open file; null when its path no longer leads to it. */
  async opened(): Promise<Deno.FsFile | null> {
    if (this.handle !== null) return this.handle;
    const handle = await Deno.open(this.file.path);
    const info = await openFileInfo(this.file.path, handle);
    if (info?.inode !== this.file.inode || info.device !== this.file.device) {
      handle.close();
      return null;
    }
    this.handle = handle;
    return handle;
  }

  /** Gives the descriptor back; it may be opened again. */
  close() {
    this.handle?.close();
    this.handle = null;
  }

  [Symbol.dispose]() {
    this.close();
  }

  /**
   * Reads the next window: bytes for consume(). Null: nothing to read. Overwrites `buffer`, which
   * has READ_BYTES.
   */
  async read(buffer: Uint8Array): Promise<Uint8Array | null> {
    const handle = await this.opened();
    const info = handle === null ? null : await openFileInfo(this.file.path, handle);
    if (handle === null || info === null) return this.rest();
    const { size, mtimeMs } = info;
    this.size = size;
    this.reads++;
    const isSame = size === this.seen.size && mtimeMs === this.seen.mtimeMs;
    if (!isSame) this.changedAtMs = this.options.nowMs();
    this.isQuiet = isSame && this.holdsRecord && this.hasWaited();
    if (isSame && !this.isQuiet) return this.rest();
    const overlap = this.before.length;
    const start = this.position - overlap;
    // Not beyond the size: files of the kernel say 0, and reading some of them never ends.
    const wanted = Math.min(overlap + WINDOW_BYTES, Math.max(0, size - start));
    const read = await readAt(handle, start, buffer.subarray(0, wanted));
    if (!startsWith(read, this.before)) {
      this.addGap("truncated", this.sizeWhole);
      this.startOver();
      return await this.read(buffer);
    }
    this.sizeWhole = size;
    // With fewer bytes than the size said, the file is changing: look again.
    if (start + read.length === size) this.seen = { size, mtimeMs };
    return read.subarray(overlap);
  }

  /** Hands the whole lines of a window on, and returns how many. @throws what the sink throws */
  async consume(window: Uint8Array): Promise<number> {
    let lines = 0;
    let rest = window;
    for (;;) {
      const cut = this.cutter.cut(rest, false, this.isQuiet);
      if (cut.consumed === 0) break;
      const bytes = rest.subarray(0, cut.consumed);
      if (this.head.length < HEAD_BYTES) this.head = firstBytes(this.head, bytes);
      if (cut.kind !== "more") {
        for (const batch of this.maker.batches({ cut, window: rest, before: this.before })) {
          await this.append(batch);
          lines += batch.lines;
        }
      }
      this.before = lastBytes(this.before, bytes, TAIL_BYTES);
      this.position += cut.consumed;
      rest = rest.subarray(cut.consumed);
    }
    this.holdsRecord = this.options.form.records !== null && rest.includes(LINE_END);
    this.isAtEnd = window.length < WINDOW_BYTES;
    return lines;
  }

  /** Whether the last record of the file has waited for its end long enough. */
  private hasWaited(): boolean {
    const waitedMs = Math.abs(this.options.nowMs() - this.changedAtMs); // clocks are set back too
    return waitedMs >= (this.options.form.records?.quietMs ?? 0);
  }

  /** Nothing can be read of it until it changes. */
  rest(): null {
    this.caughtUp = !this.holdsRecord;
    this.isAtEnd = true;
    return null;
  }

  /** The file is gone for good. */
  end() {
    this.addGap("gone", this.size);
    this.close();
  }

  /** The file was truncated, or written anew in place: another generation begins. */
  startOver() {
    const { sink, nowMs, ended } = this.options;
    const { path } = this.file;
    this.log.info("{path} was truncated after {offset} bytes and is read from its start", {
      path,
      offset: this.generation.offset,
    });
    ended(this.generation);
    this.generation = newGeneration(this.generation.stream, this.file, nowMs());
    sink.putGeneration(this.generation);
    this.position = 0;
    this.sizeWhole = 0;
    this.before = new Uint8Array();
    this.start = new Uint8Array();
    this.head = new Uint8Array();
    this.seen = { size: -1, mtimeMs: -1 };
    this.cutter = new LineCutter(0, this.options.form.records);
    this.maker = this.newMaker();
    this.holdsRecord = false;
    this.caughtUp = false;
    this.isAtEnd = false;
  }

  /** Notes that what lies between the last line read and `size` can be read no more. */
  private addGap(reason: Gap["reason"], size: number) {
    const { id: generation, stream, offset } = this.generation;
    const { path } = this.file;
    const bytes = size - offset;
    if (bytes <= 0) return;
    this.log.warn("{path} is {reason}, its last {bytes} bytes unread", { path, reason, bytes });
    const seenMs = this.options.nowMs();
    this.options.sink.addGap({ generation, stream, path, offset, bytes, reason, seenMs });
  }

  private async append(batch: Batch) {
    await this.options.sink.append(batch);
    const generation = afterBatch(this.generation, batch);
    this.generation = generation;
    // After the lines, so that no crash leaves a head in the store that is ahead of its offset.
    const headBytes = Math.min(HEAD_BYTES, this.head.length, batch.endOffset);
    if (headBytes > generation.headBytes) {
      const headSha256 = sha256Hex(this.head.subarray(0, headBytes));
      this.generation = { ...generation, headBytes, headSha256 };
      this.options.sink.putGeneration(this.generation);
    }
  }

  private newMaker(): BatchMaker {
    const { form, nowMs, sink } = this.options;
    const { id } = this.generation;
    return new BatchMaker(id, form, nowMs, sink.former?.lines(id));
  }
}

function firstBytes(head: Uint8Array, bytes: Uint8Array): Uint8Array {
  const joined = new Uint8Array(Math.min(HEAD_BYTES, head.length + bytes.length));
  joined.set(head);
  joined.set(bytes.subarray(0, joined.length - head.length), head.length);
  return joined;
}
