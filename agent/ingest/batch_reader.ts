/** Appends the lines of one file to a sink as its bytes come, whatever their source. */
import type { BatchSink, Generation } from "../store/batch.ts";
import { BatchMaker } from "./batches.ts";
import { LineCutter, WINDOW_BYTES } from "./blocks.ts";
import { afterBatch, lastBytes, TAIL_BYTES } from "./identity.ts";
import type { LineForm } from "./line_form.ts";

/** How the bytes become lines, and where those go. */
export interface BatchReaderOptions {
  form: LineForm;
  sink: BatchSink;
  /** Wall clock, milliseconds since 1970. */
  nowMs: () => number;
  signal?: AbortSignal | undefined;
}

/** Cuts chunks into lines and appends them. */
export class BatchReader {
  private readonly window = new Uint8Array(WINDOW_BYTES);
  private readonly cutter: LineCutter;
  private readonly maker: BatchMaker;
  private filled = 0;
  readonly result = { lines: 0, rows: 0, rejects: 0, bytesRead: 0, skipped: true };

  /** `before`: the up to 4,096 bytes before the generation's offset. */
  constructor(
    private readonly options: BatchReaderOptions,
    public generation: Generation,
    private before: Uint8Array,
  ) {
    this.cutter = new LineCutter(generation.offset, options.form.records);
    this.maker = new BatchMaker(
      generation.id,
      options.form,
      options.nowMs,
      options.sink.former?.lines(generation.id),
    );
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
        this.generation = afterBatch(this.generation, batch);
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
