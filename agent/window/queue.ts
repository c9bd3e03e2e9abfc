/**
 * Counted windows as files, in the order in which sinks get them. A file is durable before anybody
 * forgets that its window was to be counted; counting it again finds it, and changes nothing.
 */
import { join } from "node:path";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { messageOf } from "../../protocol/errors.ts";
import { isTemporary, removeIfThere, writeDurably } from "../../protocol/durable_file.ts";
import { changedEvents } from "./event.ts";
import type { CountedWindow } from "./event.ts";

/** One file. */
export interface QueueEntry {
  /** Its place in the queue. */
  seq: number;
  feed: string;
  stream: string;
  startMs: number;
  revision: number;
  /** Events that this revision has changed. */
  events: number;
  bytes: number;
}

/** What is no longer there. */
export interface Trimmed {
  /** For want of room: sinks may have wanted it. */
  forRoom: QueueEntry[];
  /** The start of the newest window of which nothing is known any more; null: all are known. */
  forgottenMs: number | null;
}

/** `000000000042.windows.logs.1795903200000.1.83.zst` */
const NAME = /^(\d{12})\.([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_]*)\.(\d+)\.(\d+)\.(\d+)\.zst$/;

/** A flipped bit makes reading fail. */
const CHECKED = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

export class WindowQueue {
  /** Ascending. */
  private entries: QueueEntry[] = [];
  private readonly newest = new Map<string, QueueEntry>();
  private lastSeq = 0;
  private waiting = Promise.withResolvers<void>();
  /** Of all files. */
  bytes = 0;

  private constructor(private readonly folder: string) {}

  /** Finds what is there; unfinished files go. */
  static async open(folder: string): Promise<WindowQueue> {
    await Deno.mkdir(folder, { recursive: true });
    const queue = new WindowQueue(folder);
    for await (const { name } of Deno.readDir(folder)) {
      if (isTemporary(name)) await removeIfThere(join(folder, name));
      const entry = entryOf(name, 0);
      if (entry === null) continue;
      queue.entries.push({ ...entry, bytes: (await Deno.stat(join(folder, name))).size });
    }
    queue.entries.sort((a, b) => a.seq - b.seq);
    for (const entry of queue.entries) queue.know(entry);
    return queue;
  }

  /** The last counted revision of a window; null: it has none, or none that is kept. */
  async latest(feed: string, stream: string, startMs: number): Promise<CountedWindow | null> {
    const entry = this.newest.get(keyOf({ feed, stream, startMs }));
    if (entry === undefined) return null;
    try {
      return await this.read(entry);
    } catch {
      // What it said is lost, but not how often it was said: all of it is said again.
      return { feed, stream, startMs, revision: entry.revision, events: [] };
    }
  }

  /** Makes a window durable and wakes those who wait for it. */
  async add(window: CountedWindow): Promise<void> {
    const { feed, stream, startMs, revision } = window;
    const packed = zstdCompressSync(JSON.stringify(window), CHECKED);
    const events = changedEvents(window).length;
    const seq = this.lastSeq + 1;
    const entry = { seq, feed, stream, startMs, revision, events, bytes: packed.length };
    await writeDurably(this.pathOf(entry), (path) => Deno.writeFile(path, packed));
    this.entries.push(entry);
    this.know(entry);
    this.waiting.resolve();
    this.waiting = Promise.withResolvers<void>();
  }

  /** The entries behind a place in the queue that are of one feed, in order. */
  after(seq: number, feed: string): QueueEntry[] {
    return this.entries.slice(this.indexAfter(seq)).filter((entry) => entry.feed === feed);
  }

  /** The first of them; null: there is none. */
  next(seq: number, feed: string): QueueEntry | null {
    for (let index = this.indexAfter(seq); index < this.entries.length; index++) {
      const entry = this.entries[index];
      if (entry?.feed === feed) return entry;
    }
    return null;
  }

  private indexAfter(seq: number): number {
    let low = 0;
    for (let high = this.entries.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle]?.seq ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Of the newest entry; 0: there was none yet. */
  get end(): number {
    return this.lastSeq;
  }

  /** Of the oldest entry that is kept, less one: who starts there misses nothing of it. */
  get beginning(): number {
    return (this.entries[0]?.seq ?? this.lastSeq + 1) - 1;
  }

  /** @throws {Deno.errors.InvalidData} when the file is damaged; else what reading it throws */
  async read(entry: QueueEntry): Promise<CountedWindow> {
    const packed = await Deno.readFile(this.pathOf(entry));
    try {
      // Written by this program, and checked by zstd.
      return JSON.parse(zstdDecompressSync(packed).toString("utf8")) as CountedWindow;
    } catch (cause) {
      throw new Deno.errors.InvalidData(`damaged: ${messageOf(cause)}`, { cause });
    }
  }

  /** Resolves when there is more behind the end that is now. */
  grown(): Promise<void> {
    return this.waiting.promise;
  }

  /**
   * Removes what every sink has and no late row can change any more, and the oldest while there is
   * too much.
   */
  async trim(
    { deliveredSeq, endedBeforeMs, bytesMax }: {
      deliveredSeq: number;
      endedBeforeMs: number;
      bytesMax: number;
    },
  ): Promise<Trimmed> {
    const kept: QueueEntry[] = [];
    const gone: QueueEntry[] = [];
    const forRoom: QueueEntry[] = [];
    let excess = this.bytes - bytesMax;
    for (const entry of this.entries) {
      const isDone = entry.seq <= deliveredSeq && entry.startMs < endedBeforeMs;
      // The newest stays, so that numbers go on behind it after a restart.
      if (entry.seq === this.lastSeq || (!isDone && excess <= 0)) {
        kept.push(entry);
        continue;
      }
      excess -= entry.bytes;
      gone.push(entry);
      if (!isDone) forRoom.push(entry);
    }
    this.entries = kept;
    let forgottenMs: number | null = null;
    for (const entry of gone) {
      this.bytes -= entry.bytes;
      const key = keyOf(entry);
      if (this.newest.get(key) === entry) {
        this.newest.delete(key);
        forgottenMs = Math.max(forgottenMs ?? 0, entry.startMs);
      }
      await removeIfThere(this.pathOf(entry));
    }
    return { forRoom, forgottenMs };
  }

  private know(entry: QueueEntry) {
    this.lastSeq = entry.seq;
    this.bytes += entry.bytes;
    this.newest.set(keyOf(entry), entry);
  }

  private pathOf({ seq, feed, stream, startMs, revision, events }: QueueEntry): string {
    const place = String(seq).padStart(12, "0");
    return join(this.folder, `${place}.${feed}.${stream}.${startMs}.${revision}.${events}.zst`);
  }
}

function keyOf({ feed, stream, startMs }: Pick<QueueEntry, "feed" | "stream" | "startMs">) {
  return `${feed} ${stream} ${startMs}`;
}

function entryOf(name: string, bytes: number): QueueEntry | null {
  const [, seq, feed = "", stream = "", startMs, revision, events] = NAME.exec(name) ?? [];
  if (seq === undefined) return null;
  return {
    seq: Number(seq),
    feed,
    stream,
    startMs: Number(startMs),
    revision: Number(revision),
    events: Number(events),
    bytes,
  };
}
