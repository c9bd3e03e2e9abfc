/** Follows the log files of every stream and hands their lines to a sink, in order, once. */
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../protocol/errors.ts";
import type { GeoDatabase } from "../geo/geo_database.ts";
import type { BatchSink } from "../store/batch.ts";
import { READ_BYTES } from "./followed_file.ts";
import type { FollowedFile } from "./followed_file.ts";
import { handlesForLogs } from "./handles.ts";
import type { Handles } from "./handles.ts";
import { StreamTail } from "./stream_tail.ts";
import type { Clock, TailedStream } from "./stream_tail.ts";

/** How long lines may lie in a file before they are read. Lower costs CPU while nothing happens. */
const POLL_MS = 200;
/** The same while somebody waits. */
const AWAITED_MS = 5;
/** How often folders are looked at for new and renamed files, and for quiet ones that grew. */
const LOOK_MS = 1_000;
/** Folders of thousands of files are looked at less often: this many times as long as it takes. */
const LOOK_REST = 30;
const LOOK_MAX_MS = 30_000;

/** What a tail needs. */
export interface TailOptions {
  streams: readonly TailedStream[];
  sink: BatchSink;
  /** @default addresses are not looked up */
  geo?: GeoDatabase | null;
  /** Nothing is read before, but what is spooled. @default at once */
  until?: Promise<void> | undefined;
  /** Ends the tail, as disposing of it does. */
  signal?: AbortSignal;
  /** @default the system's clocks */
  clock?: Clock;
}

/** With this many nobody needs more. */
const HANDLES_AMPLE = 1_024;

/** How far the tail is behind the files. */
export interface Behind {
  /** Bytes that lie in files and have not become rows or rejects, unfinished lines included. */
  bytes: number;
  /** Since when, in milliseconds; 0 when every whole line was read at the last look. */
  ms: number;
}

const SYSTEM_CLOCK: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A file as it was when someone began to wait. */
interface Target {
  bytes: number;
  reads: number;
}

/** Someone who waits until all that is readable now has been read. */
interface Waiter {
  /** What each file must reach; null until the folders have been looked at. */
  targets: Map<FollowedFile, Target> | null;
  /** Until it is known of every file whether it is to be read. */
  isLast: boolean;
  settled: PromiseWithResolvers<void>;
}

/** Follows files until disposed of; one loop reads them all, a window of each in turn. */
export class Tail implements AsyncDisposable {
  private readonly abort = new AbortController();
  private readonly clock: Clock;
  private readonly signal: AbortSignal;
  private readonly streams: StreamTail[];
  /** Streams that wait, and whether they do still. */
  private readonly held: TailedStream[];
  private isReleased = false;
  private waiters: Waiter[] = [];
  private wake: (() => void) | null = null;
  private caughtUpAtMs: number;
  private hasLooked = false;
  private readonly handles: Handles;
  private hasWarned = false;
  private roundAtMs: number;
  /** Whether every file was read to its end at some moment since the start. */
  hasCaughtUp = false;
  private more = true;
  private lines = 0;

  private readonly running: Promise<void>;
  /** Settles when the tail ends; rejects with what the sink threw, or `until`. */
  readonly finished: Promise<void>;

  private constructor(private readonly options: TailOptions) {
    const { streams, until, signal, clock = SYSTEM_CLOCK } = options;
    this.clock = clock;
    this.signal = signal === undefined
      ? this.abort.signal
      : AbortSignal.any([signal, this.abort.signal]);
    this.caughtUpAtMs = clock.monotonicMs();
    this.roundAtMs = this.caughtUpAtMs;
    this.handles = handlesForLogs();
    const isHeld = ({ spool }: TailedStream) => until !== undefined && spool === undefined;
    this.held = streams.filter(isHeld);
    this.streams = streams.filter((stream) => !isHeld(stream)).map((stream) => this.open(stream));
    const released = until?.then(() => {
      this.isReleased = true;
      this.wake?.();
    });
    this.running = this.run();
    this.finished = Promise.all([this.running, released]).then(() => {});
  }

  private open(stream: TailedStream): StreamTail {
    const { sink, geo = null, streams } = this.options;
    const { clock, signal } = this;
    const filesOpenMax = Math.ceil(this.handles.filesOpenMax / streams.length);
    return new StreamTail({ stream, sink, geo, clock, filesOpenMax, signal });
  }

  /** Begins at once; returns before anything was read. */
  static start(options: TailOptions): Tail {
    return new Tail(options);
  }

  behind(): Behind {
    return {
      bytes: this.files.reduce((sum, file) => sum + file.behindBytes, 0),
      ms: this.isCaughtUp() ? 0 : Math.round(this.clock.monotonicMs() - this.caughtUpAtMs),
    };
  }

  /** Whether the folders have been looked at, and every file was read to its end when last read. */
  isCaughtUp(): boolean {
    return this.held.length === 0 && this.hasLooked && this.isUnpacked &&
      this.files.every((file) => file.isAtEnd);
  }

  /** How long the loop that reads has stood still, in milliseconds: back-pressure, or a defect. */
  stoodMs(): number {
    return this.clock.monotonicMs() - this.roundAtMs;
  }

  /** Lines handed to the sink since the start. */
  linesTotal(): number {
    return this.streams.reduce((sum, { packed }) => sum + packed.lines, this.lines);
  }

  /**
   * Resolves when every whole line that lies in the files now has been appended to the sink.
   * @param isLast nobody looks later: small files that may be copies under way are waited for
   * @throws {LogvendError} cancelled, when the tail ends before
   */
  idle({ isLast = false } = {}): Promise<void> {
    if (this.signal.aborted) return Promise.reject(ended());
    const settled = Promise.withResolvers<void>();
    this.waiters.push({ targets: null, isLast, settled });
    this.wake?.();
    return settled.promise;
  }

  /** Ends after the batch in hand, and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort.abort();
    await Promise.allSettled([this.running]);
  }

  private async run(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    let lookAtMs = this.clock.monotonicMs();
    const stop = () => this.wake?.();
    this.signal.addEventListener("abort", stop);
    try {
      while (!this.signal.aborted) {
        this.roundAtMs = this.clock.monotonicMs();
        if (this.isReleased && this.held.length > 0) {
          this.streams.push(...this.held.splice(0).map((stream) => this.open(stream)));
          lookAtMs = this.roundAtMs;
        }
        if (this.clock.monotonicMs() >= lookAtMs || this.waiters.some((w) => w.targets === null)) {
          const startedMs = this.clock.monotonicMs();
          await this.look();
          lookAtMs = startedMs + this.lookEveryMs();
        }
        await this.round(buffer);
        if (!this.more && !this.signal.aborted) await this.pause();
      }
    } finally {
      this.signal.removeEventListener("abort", stop);
      for (const stream of this.streams) {
        await stream.packed.ended();
        stream[Symbol.dispose]();
      }
      for (const waiter of this.waiters) waiter.settled.reject(ended());
    }
  }

  /** Whether no packed file waits to be read. */
  private get isUnpacked(): boolean {
    return this.streams.every(({ packed }) => packed.isIdle);
  }

  private get files(): FollowedFile[] {
    return this.streams.flatMap((stream) => stream.files);
  }

  private async look(): Promise<void> {
    const isWhole = this.held.length === 0;
    const waiting = this.waiters.filter(({ targets }) => isWhole && targets === null);
    for (const stream of this.streams) {
      if (!this.signal.aborted) await stream.look();
    }
    this.hasLooked = isWhole;
    this.warnOfHandles();
    const isDecided = this.streams.every((stream) => stream.isDecided);
    for (const waiter of waiting) {
      if (waiter.isLast && !isDecided) continue; // the next look may tell
      waiter.targets = new Map(
        this.files.map((file) => [file, { bytes: file.bytes, reads: file.reads }]),
      );
    }
  }

  /** From one look to the next: 10,000 files take half a second of the processor. */
  private lookEveryMs(): number {
    const tookMs = this.streams.reduce((sum, { lookMs }) => sum + lookMs, 0);
    return Math.min(LOOK_MAX_MS, Math.max(LOOK_MS, LOOK_REST * tookMs));
  }

  private warnOfHandles() {
    const { limit, filesOpenMax } = this.handles;
    if (this.hasWarned || limit === null || limit >= HANDLES_AMPLE) return;
    if (this.files.length <= filesOpenMax) return;
    this.hasWarned = true;
    getLogger(["agent", "tail"]).warn(
      "Too few file handles ({limit}) to keep {files} files open: most are opened for each read; " +
        "raise the limit (ulimit -n, LimitNOFILE)",
      { limit, files: this.files.length },
    );
  }

  private async round(buffer: Uint8Array): Promise<void> {
    let more = false;
    for (const stream of this.streams) {
      const round = await stream.round(buffer);
      this.lines += round.lines;
      more ||= round.more;
    }
    this.more = more;
    if (this.isCaughtUp()) {
      this.caughtUpAtMs = this.clock.monotonicMs();
      this.hasCaughtUp = true;
    }
    this.waiters = this.waiters.filter((waiter) => {
      if (!this.isUnpacked || !isReached(waiter)) return true;
      waiter.settled.resolve();
      return false;
    });
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.waiters.length > 0 ? AWAITED_MS : POLL_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}

function isReached({ targets }: Waiter): boolean {
  if (targets === null) return false;
  return [...targets].every(([file, { bytes, reads }]) =>
    file.caughtUp || (file.reads > reads && file.generation.offset >= bytes)
  );
}

function ended(): LogvendError {
  return new LogvendError("cancelled", "The tail ended before every line was read");
}
