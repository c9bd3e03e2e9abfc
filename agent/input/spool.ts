/**
 * Messages that come to this host become lines of files in the data folder, which the tail reads as
 * it reads any log: from there on nothing is lost and nothing doubled. A file is removed when all
 * its lines are durable rows.
 */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { Generation } from "../store/batch.ts";

/** A file is ended when it has so many bytes or is so old. */
const FILE_BYTES_MAX = 64 * 2 ** 20;
const FILE_AGE_MS = 600_000;

/** What waits to be read: senders wait, or lose messages, while it is more. */
const SPOOL_BYTES_MAX = 512 * 2 ** 20;

/** Between two looks for files that have been read. */
const CLEAN_EVERY_MS = 5_000;

/** Between two looks whether there is room. */
const ROOM_EVERY_MS = 100;
/** Between two tries to write to a disk that is full or gone. */
const RETRY_MS = 1_000;

const LINE_END = 0x0a;

export interface SpoolOptions {
  folder: string;
  /** What is durable of the stream's files. */
  generations(): readonly Pick<Generation, "path" | "offset">[];
  /** @default those above */
  limits?: { fileBytes: number; spoolBytes: number };
}

/** How much was written, whole lines, and why no more; null: it was all. */
interface Added {
  written: number;
  error: unknown;
}

/** The file that is being written. */
interface Current {
  file: Deno.FsFile;
  path: string;
  bytes: number;
  openedMs: number;
}

export class Spool implements AsyncDisposable {
  private readonly log = getLogger(["agent", "input"]);
  private readonly timer: ReturnType<typeof setInterval>;
  private current: Current | null = null;
  private writing: Promise<void> = Promise.resolve();
  /** Of all files. */
  private bytes = 0;
  private fileCount = 0;

  private constructor(private readonly options: SpoolOptions) {
    this.timer = setInterval(() => this.clean(), CLEAN_EVERY_MS);
  }

  /** The tail reads what files are left of the run before. */
  static async open(options: SpoolOptions): Promise<Spool> {
    await Deno.mkdir(options.folder, { recursive: true });
    const spool = new Spool(options);
    const now = new Date();
    for (const { path, bytes } of await spool.files()) {
      await Deno.utime(path, now, now); // however old: it is not to be ignored
      spool.bytes += bytes;
    }
    spool.fileFor(); // there is something to follow
    return spool;
  }

  /** Files of this pattern hold the messages. */
  static pattern(folder: string): string {
    return join(folder, "*.log");
  }

  /** Whether no more should come now. */
  get isFull(): boolean {
    return this.bytes >= (this.options.limits?.spoolBytes ?? SPOOL_BYTES_MAX);
  }

  /** Adds whole lines; resolves when they are written. @throws when they cannot be, not all of them */
  async write(lines: readonly Uint8Array[]): Promise<void> {
    const { error } = await this.add(await textOf(lines));
    if (error !== null) throw error;
  }

  /**
   * Adds whole lines when there is room for them and the disk takes them: senders wait until then.
   * @throws when it does not take them and `signal` says to wait no longer
   */
  async writeInTurn(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    let text = await textOf(lines);
    for (let hasFailed = false;; hasFailed = true) {
      while (this.isFull && !signal.aborted) await pause(ROOM_EVERY_MS);
      const { written, error } = await this.add(text);
      if (error === null) return;
      if (signal.aborted) throw error;
      const reason = messageOf(error);
      if (!hasFailed) this.log.error("Cannot spool, senders wait: {reason}", { reason });
      text = text.subarray(written);
      await pause(RETRY_MS);
    }
  }

  /** Removes files whose lines are all durable. */
  async clean(): Promise<void> {
    const cleaned = this.writing.then(() => this.removeRead());
    this.writing = cleaned.catch((error) => {
      this.log.warn("Cannot remove files that were read: {reason}", { reason: messageOf(error) });
    });
    await this.writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    await this.clean();
    this.end();
  }

  /** One after the other. */
  private async add(text: Uint8Array): Promise<Added> {
    const added = this.writing.then(() => this.append(text));
    this.writing = added.then(() => {}, () => {}); // the caller hears of it
    return await added.catch((error) => ({ written: 0, error }));
  }

  private async append(text: Uint8Array): Promise<Added> {
    const current = this.fileFor();
    const { file, bytes } = current;
    let error: unknown = null;
    let written = 0;
    try {
      while (written < text.length) written += await file.write(text.subarray(written));
    } catch (cause) {
      error = cause;
      // No half a line: what comes next is not its end. Whole ones may have been read already.
      written = text.subarray(0, written).lastIndexOf(LINE_END) + 1;
      await file.truncate(bytes + written);
    }
    current.bytes = bytes + written;
    this.bytes += written;
    return { written, error };
  }

  private fileFor(): Current {
    const { current, options: { limits } } = this;
    const isFull = current !== null && current.bytes >= (limits?.fileBytes ?? FILE_BYTES_MAX);
    return current === null || isFull ? this.fileAnew() : current;
  }

  private fileAnew(): Current {
    const { folder } = this.options;
    this.end();
    const openedMs = Date.now();
    const path = join(folder, `${openedMs}-${this.fileCount++}.log`);
    const file = Deno.openSync(path, { createNew: true, append: true });
    return this.current = { file, path, bytes: 0, openedMs };
  }

  private end() {
    this.current?.file.close();
    this.current = null;
  }

  private async removeRead() {
    const { current } = this;
    const isOld = current !== null && Date.now() - current.openedMs > FILE_AGE_MS;
    if (isOld && current.bytes > 0) this.fileAnew();
    const durable = new Map(this.options.generations().map(({ path, offset }) => [path, offset]));
    let left = 0;
    for (const { path, bytes } of await this.files()) {
      const isRead = bytes === 0 || (durable.get(path) ?? 0) >= bytes;
      if (isRead && path !== this.current?.path) await Deno.remove(path);
      else left += bytes - (durable.get(path) ?? 0);
    }
    this.bytes = left;
  }

  private async files(): Promise<{ path: string; bytes: number }[]> {
    const found: { path: string; bytes: number }[] = [];
    for await (const { name, isFile } of Deno.readDir(this.options.folder)) {
      const path = join(this.options.folder, name);
      if (isFile) found.push({ path, bytes: (await Deno.stat(path)).size });
    }
    return found;
  }
}

/** The lines with their ends. */
async function textOf(lines: readonly Uint8Array[]): Promise<Uint8Array> {
  const end = Uint8Array.of(LINE_END);
  const blob = new Blob(lines.flatMap((line) => [line as BlobPart, end]));
  return new Uint8Array(await blob.arrayBuffer());
}

async function pause(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
