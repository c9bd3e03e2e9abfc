/** Follows the files of one stream: finds them, tells what they are, reads what was added. */
import { dirname } from "node:path";
import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../protocol/file_error.ts";
import type { BatchSink, Generation } from "../store/batch.ts";
import type { GeoDatabase } from "../geo/geo_database.ts";
import type { StreamConfig } from "../stream_config.ts";
import { discover } from "./discover.ts";
import type { Discovery } from "./discover.ts";
import { WINDOW_BYTES } from "./blocks.ts";
import { FollowedFile } from "./followed_file.ts";
import { FormerGenerations } from "./former.ts";
import { History } from "./history.ts";
import { identify, identifySpooled } from "./identify.ts";
import { IgnoredFiles } from "./ignored_files.ts";
import type { Known } from "./identify.ts";
import {
  fileKey,
  generationFrom,
  generationFromEnd,
  newGeneration,
  openFileInfo,
} from "./identity.ts";
import type { FileInfo } from "./identity.ts";
import { lineForm } from "./line_form.ts";
import type { LineForm } from "./line_form.ts";
import { Marks } from "./marks.ts";
import { PackedFiles } from "./packed_files.ts";

/** Files quiet for this long are looked at with the folder, not between. */
const WARM_MS = 60_000;

/** A file that was renamed away or deleted is kept open until it was quiet for this long. */
const GONE_MS = 60_000;

/** A file that is written anew all the time must not cause a flush every time. */
const SECURE_EVERY_MS = 10_000;

/** Where the tail gets its times from. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Never goes back. */
  monotonicMs(): number;
}

/** A stream, and where its messages are spooled to, if it has any. */
export type TailedStream = StreamConfig & { spool?: string };

/** A host that is busy makes some of them long. */
const LOOKS_COUNTED = 3;

/** What a stream's tail needs. */
export interface StreamTailOptions {
  stream: TailedStream;
  sink: BatchSink;
  /** Null: nobody asks where addresses are. */
  geo: GeoDatabase | null;
  clock: Clock;
  /** The rest is opened for each read. */
  filesOpenMax: number;
  signal: AbortSignal;
}

/** What a round over the files did. */
export interface Round {
  lines: number;
  /** Some file has more than one read took. */
  more: boolean;
}

/** The files of a stream that are followed, and those that are left alone. */
export class StreamTail implements Disposable {
  private readonly log = getLogger(["agent", "tail"]);
  /** By device and inode. */
  private readonly followed = new Map<string, FollowedFile>();
  private readonly ignored = new IgnoredFiles();
  /** The file last seen at a path. */
  private readonly byPath = new Map<string, FollowedFile>();
  private readonly history: History;
  private readonly former: FormerGenerations;
  private readonly known: Known;
  private readonly marks = new Marks();
  /** Why what could not be read, until it can. */
  private readonly complaints = new Map<string, string>();
  /** Only files that were there before the agent ever was are read from their end. */
  private fromEnd: boolean;
  private openCount = 0;
  /** Files of which the last look could not tell yet whether they are to be read. */
  private undecided = 0;
  private securedAtMs = -Infinity;

  private readonly form: LineForm;
  readonly packed: PackedFiles;
  /** How long the last looks at the folders took. */
  private readonly looksMs = Array.from({ length: LOOKS_COUNTED }, () => 0);

  constructor(private readonly options: StreamTailOptions) {
    const { stream, sink, geo } = options;
    this.form = lineForm(stream, sink.shape(stream.name), geo);
    this.former = new FormerGenerations(sink.former?.generations(stream.name) ?? []);
    this.history = new History(this.former.and(sink.generations(stream.name)));
    this.known = {
      history: this.history,
      former: this.former,
      marks: (generation) => this.marks.of(generation),
      mayBeginWith: (generation, bytes) =>
        this.followed.get(fileKey(generation))?.mayBeginWith(bytes) ?? true,
      withOriginal: (generation, use) => this.withOriginal(generation, use),
    };
    this.fromEnd = stream.read_from === "end" && this.history.size === 0;
    this.packed = new PackedFiles({
      ...options,
      form: this.form,
      known: this.known,
      nowMs: () => options.clock.nowMs(),
      complain: (path, reason) => this.complain(path, reason),
    });
  }

  /** How long a look at the folders takes: the shortest of the last ones, for the host may be busy. */
  get lookMs(): number {
    return Math.min(...this.looksMs);
  }

  /** The files being followed. */
  get files(): FollowedFile[] {
    return [...this.followed.values()];
  }

  /** Whether it is known of every file that is there whether it is to be read. */
  get isDecided(): boolean {
    return this.undecided === 0;
  }

  /** Looks at the folders: new, renamed, deleted, grown files. */
  async look(): Promise<void> {
    const { stream, signal, clock } = this.options;
    const startedMs = clock.monotonicMs();
    const found = await discover(stream.files, signal);
    this.looksMs.shift();
    this.looksMs.push(clock.monotonicMs() - startedMs);
    this.report(found);
    for (const file of this.followed.values()) {
      file.gone = true;
      this.marks.add(file.generation);
      this.remember(file.generation);
    }
    this.undecided = 0;
    for (const file of found.files) {
      if (signal.aborted) return;
      const followed = this.followed.get(fileKey(file));
      if (followed === undefined) await this.consider(file);
      else followed.sighted(file);
    }
    const isCaughtUp = this.files.every((file) => file.isAtEnd);
    const unwanted = found.packed.filter((file) => this.isUnwanted(file));
    this.packed.look(found.packed, { isCaughtUp, unwanted });
    if (this.fromEnd) await this.options.sink.flush(); // a restart must find where it began
    this.fromEnd = false;
    for (const file of this.followed.values()) this.forgetGone(file);
  }

  /** Reads one window of every file that may have something new. */
  async round(buffer: Uint8Array): Promise<Round> {
    const round: Round = { lines: 0, more: false };
    const nowMs = this.options.clock.monotonicMs();
    this.openCount = this.files.filter((file) => file.isOpen).length;
    for (const file of this.followed.values()) {
      if (this.options.signal.aborted) break;
      if (!this.isDue(file, nowMs)) continue;
      const wasOpen = file.isOpen;
      const window = await this.read(file, buffer);
      if (window !== null) {
        round.lines += await file.consume(window);
        round.more ||= window.length === WINDOW_BYTES;
        file.activeAtMs = nowMs;
      }
      if (!wasOpen) this.keepOpen(file);
    }
    return round;
  }

  [Symbol.dispose]() {
    for (const file of this.followed.values()) file.close();
  }

  private isDue(file: FollowedFile, nowMs: number): boolean {
    const warm = file.isOpen && (file.gone || nowMs - file.activeAtMs < WARM_MS);
    if (file.caughtUp && !warm) return false;
    if (file.predecessor?.isOpen && !file.predecessor.isAtEnd) return false;
    file.predecessor = null;
    return true;
  }

  /** Keeps a file that was just opened open, unless too many are. */
  private keepOpen(file: FollowedFile) {
    if (this.openCount >= this.options.filesOpenMax) file.close();
    else this.openCount++;
  }

  private async read(file: FollowedFile, buffer: Uint8Array): Promise<Uint8Array | null> {
    const { path } = file.file;
    const { id } = file.generation;
    try {
      const window = await file.read(buffer);
      if (file.generation.id !== id) await this.secure();
      if (!file.gone) this.complaints.delete(path);
      return window;
    } catch (error) {
      file.close();
      file.rest(); // the next look at the folder tries again
      this.complain(path, reasonOf(error));
      return null;
    }
  }

  /** Makes durable what was read of a file that was emptied: it cannot be read again. */
  private async secure() {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.securedAtMs < SECURE_EVERY_MS) return;
    this.securedAtMs = nowMs;
    await this.options.sink.flush().catch(() => {}); // the flush by the clock says what is wrong
  }

  /** Looks at a file that is not followed: it may be new, or another's content. */
  private async consider(file: FileInfo): Promise<void> {
    if (file.size === 0 && !this.fromEnd) return; // nothing to read, nor to tell what it is
    const isFollowed = (id: string) => this.files.some(({ generation }) => generation.id === id);
    if (this.ignored.isStill(file, isFollowed)) return;
    let handle: Deno.FsFile | null = null;
    try {
      handle = await Deno.open(file.path);
      const opened = await openFileInfo(file.path, handle);
      if (opened === null || fileKey(opened) !== fileKey(file)) return;
      const generation = await this.generationOf(opened, handle, this.ignored.copyOf(file));
      if (generation === null) return;
      await this.follow(opened, generation, handle);
      handle = null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return; // renamed since: the next look finds it
      this.complain(file.path, reasonOf(error));
    } finally {
      handle?.close();
    }
  }

  /** The generation to read of a file; null when it is not to be read (now). */
  private async generationOf(
    file: FileInfo,
    handle: Deno.FsFile,
    copyOf: string | null,
  ): Promise<Generation | null> {
    const { stream, sink, clock } = this.options;
    const nowMs = clock.nowMs();
    const isSpooled = dirname(file.path) === stream.spool;
    const identity = await (isSpooled ? identifySpooled : identify)(
      { file, handle, copyOf, nowMs },
      this.known,
    );
    const isBeingRead = "generation" in identity && identity.generation.id === this.packed.reading;
    if (isBeingRead) return null; // packed; where it stands then is where this goes on
    switch (identity.kind) {
      case "continues":
      case "moved": {
        const { path, device, inode } = file;
        const old = identity.generation;
        const start = this.former.start(old);
        const generation = { ...start, path, device, inode };
        if (start !== old || old.path !== path || identity.kind === "moved") {
          sink.putGeneration(generation);
        }
        return generation;
      }
      case "copy":
        if (copyOf === null) {
          this.log.info("{path} is a copy of what is read elsewhere", { path: file.path });
        }
        this.ignored.add(file, identity.generation.id);
        return null;
      case "fork": {
        const fresh = newGeneration(stream.name, file, nowMs);
        const generation = await generationFrom(handle, identity.offset, fresh);
        sink.putGeneration(generation);
        return generation;
      }
      case "undecided":
        this.undecided++;
        return null;
      case "new": {
        if (file.mtimeMs < nowMs - stream.ignore_older) {
          this.log.info("{path} is not read: unchanged for too long", { path: file.path });
          this.ignored.add(file, null);
          return null;
        }
        const fresh = newGeneration(stream.name, file, nowMs);
        const isFromEnd = this.isUnwanted(file) && !isSpooled;
        const generation = isFromEnd ? await generationFromEnd(handle, file, fresh) : fresh;
        sink.putGeneration(generation);
        return generation;
      }
    }
  }

  /** Whether only what is added to a file that nobody knows is to be read. */
  private isUnwanted({ mtimeMs }: FileInfo): boolean {
    const { read_from: from } = this.options.stream;
    return this.fromEnd || (from === "end" && mtimeMs < this.former.sinceMs);
  }

  private async follow(file: FileInfo, generation: Generation, handle: Deno.FsFile) {
    const { sink, clock } = this.options;
    // Content that moved away left something new in the file it was read from.
    const emptied = this.history.get(generation.id) === undefined
      ? undefined
      : this.files.find((other) => other.generation.id === generation.id);
    if (emptied !== undefined) {
      emptied.startOver();
      this.history.put(emptied.generation);
    }
    const followed = await FollowedFile.open({
      file,
      generation,
      form: this.form,
      sink,
      nowMs: () => clock.nowMs(),
      ended: (ended) => this.history.put(ended),
    }, handle);
    if (emptied !== undefined) emptied.predecessor = followed;
    else followed.predecessor = this.byPath.get(file.path) ?? null;
    followed.activeAtMs = clock.monotonicMs();
    // A file that was renamed while nobody looked precedes the one that has its path now.
    const oldPath = this.history.get(generation.id)?.path;
    if (oldPath !== undefined && !this.byPath.has(oldPath)) this.byPath.set(oldPath, followed);
    this.byPath.set(file.path, followed);
    this.followed.set(fileKey(file), followed);
    this.remember(generation);
    this.ignored.delete(file);
    this.keepOpen(followed);
  }

  private remember(generation: Generation) {
    this.history.put(this.former.toldBy(generation));
  }

  private forgetGone(file: FollowedFile) {
    if (!file.gone) return;
    const quietMs = this.options.clock.monotonicMs() - file.activeAtMs;
    if (file.isOpen && !(file.caughtUp && quietMs >= GONE_MS)) {
      file.caughtUp = false;
      return;
    }
    file.end();
    this.remember(file.generation);
    this.followed.delete(fileKey(file.file));
    for (const [path, other] of this.byPath) if (other === file) this.byPath.delete(path);
  }

  private async withOriginal<T>(
    generation: Generation,
    use: (file: Deno.FsFile | null) => Promise<T>,
  ): Promise<T> {
    const followed = this.followed.get(fileKey(generation));
    if (followed?.isOpen) return await use(await followed.opened());
    try {
      const path = followed?.file.path ?? generation.path;
      using file = await Deno.open(path);
      const info = await openFileInfo(path, file);
      return await use(info !== null && fileKey(info) === fileKey(generation) ? file : null);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return await use(null);
      throw error;
    }
  }

  /** Says what is wrong with what matched, once until it is well again. */
  private report({ files, packed, refused, unmatched }: Discovery) {
    const present = [...files, ...packed, ...this.files.map(({ file }) => file)];
    const paths = present.map(({ path }) => path);
    const current = new Set([...paths, ...refused.keys(), ...unmatched]);
    for (const path of this.complaints.keys()) {
      if (!current.has(path)) this.complaints.delete(path);
    }
    for (const [path, reason] of refused) this.complain(path, reason);
    for (const pattern of unmatched) this.complain(pattern, "no file matches");
  }

  private complain(path: string, reason: string) {
    if (this.complaints.get(path) === reason) return;
    this.complaints.set(path, reason);
    this.log.warn("Cannot read {path}, trying again: {reason}", { path, reason });
  }
}
