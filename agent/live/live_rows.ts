/**
 * Shows new rows to those who tail them. Without them a batch costs a look-up; with them a copy in
 * memory, of no more rows than fit: ingest never waits, what does not fit is counted.
 */
import { getLogger } from "@logtape/logtape";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { Place } from "../rules/conditions.ts";
import type { Batch } from "../store/batch.ts";
import { StreamTable } from "../store/rows/memory_table.ts";
import { Mutex } from "../store/mutex.ts";
import type { RowWatcher } from "../store/watcher.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isOpenFormat } from "../stream_format.ts";
import { LiveTail } from "./live_tail.ts";
import type { LiveReader, LiveRequest } from "./live_tail.ts";

/** Rows wait this long to be looked at together. */
const LOOK_EVERY_MS = 200;

/** Looking takes at most this share of one core's time: a pause is so many times a look. */
const PAUSE_PER_LOOK = 4;

/** What waits of one stream: some megabytes. */
const WAITING_ROWS_MAX = 16_384;
const WAITING_BYTES_MAX = 8e6;

/** Each has a DuckDB of its own. */
const TAILS_MAX = 8;

const log = getLogger(["agent", "live"]);

export interface LiveRowsOptions {
  streams: readonly Pick<StreamConfig, "name" | "format">[];
  place: Place;
  /** Of all rows of a stream so far. */
  shape(stream: string): StreamShape;
}

export class LiveRows implements RowWatcher {
  /** Those that somebody tails. */
  private readonly watched = new Map<string, LiveStream>();
  private tailCount = 0;

  constructor(private readonly options: LiveRowsOptions) {}

  added(stream: string, batch: Batch, shape: StreamShape): void {
    this.watched.get(stream)?.add(batch, shape);
  }

  /**
   * Shows new rows until it is disposed of.
   * @throws {LogvendError} bad_sql or unavailable
   */
  async open(request: LiveRequest, reader: LiveReader): Promise<AsyncDisposable> {
    const stream = this.options.streams.find(({ name }) => name === request.stream);
    if (stream === undefined) {
      throw new LogvendError("unavailable", `has no stream "${request.stream}"`);
    }
    if (this.tailCount >= TAILS_MAX) {
      throw new LogvendError("unavailable", `${TAILS_MAX} tails are running here; end one first`);
    }
    this.tailCount++;
    await using stack = new AsyncDisposableStack();
    stack.defer(() => {
      this.tailCount--;
    });
    const { place, shape } = this.options;
    const isOpen = isOpenFormat(stream.format);
    const tail = await LiveTail.open({ request, reader, place, isOpen }, shape(stream.name));
    stack.use(tail);
    const watched = this.watched.get(stream.name) ?? new LiveStream();
    this.watched.set(stream.name, watched);
    watched.tails.add(tail);
    stack.defer(async () => {
      await watched.remove(tail);
      if (watched.tails.size === 0) this.watched.delete(stream.name);
    });
    return stack.move();
  }
}

/** A stream that somebody tails. */
class LiveStream {
  readonly tails = new Set<LiveTail>();
  /** Rows since the last look. */
  private waiting: StreamTable | null = null;
  private waitingBytes = 0;
  private unchecked = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** One look at a time, and none at a tail that is closed. */
  private readonly mutex = new Mutex();

  add(batch: Batch, shape: StreamShape): void {
    const { count } = batch.rows;
    if (count === 0) return;
    const rows = (this.waiting?.store.rows ?? 0) + count;
    const bytes = this.waitingBytes + batch.endOffset - batch.startOffset;
    if (rows > WAITING_ROWS_MAX || bytes > WAITING_BYTES_MAX) this.unchecked += count;
    else this.keep(batch, shape, bytes);
    this.timer ??= setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  private keep(batch: Batch, shape: StreamShape, bytes: number) {
    try {
      this.waiting ??= new StreamTable(shape);
      this.waiting.widen(shape);
      this.waiting.add(batch);
      this.waitingBytes = bytes;
    } catch (error) {
      log.error("Cannot show new rows to a tail: {error}", { error: messageOf(error) });
      this.waiting = null;
      for (const tail of this.tails) tail.fail(error);
    }
  }

  private async look() {
    const startMs = performance.now();
    const { waiting, unchecked } = this;
    this.waiting = null;
    this.waitingBytes = 0;
    this.unchecked = 0;
    await this.mutex.run(async () => {
      for (const tail of this.tails) {
        await tail.look(waiting, unchecked).catch((error) => tail.fail(error));
      }
    });
    this.timer = null;
    if (this.waiting === null && this.unchecked === 0) return;
    const pauseMs = (performance.now() - startMs) * PAUSE_PER_LOOK;
    this.timer = setTimeout(() => this.look(), Math.max(LOOK_EVERY_MS, pauseMs));
  }

  /** Resolves when nobody looks for it any more. */
  async remove(tail: LiveTail): Promise<void> {
    await this.mutex.run(() => this.tails.delete(tail));
    if (this.tails.size === 0 && this.timer !== null) clearTimeout(this.timer);
  }
}
