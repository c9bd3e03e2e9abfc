/** The rows of one table that are not durable yet, with what a flush must know of them. */
import { uniteShapes } from "../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { REJECTS_SCHEMA, streamSchema } from "../../../protocol/schema/streams.ts";
import { sameColumns } from "../../../queries/columns.ts";
import { CHUNK_ROWS } from "../../../queries/duckdb/types.ts";
import type { Batch } from "../batch.ts";
import type { Run } from "../database/catalog.ts";
import { HourCounts } from "./hour_counts.ts";
import type { HourCount } from "./hour_counts.ts";
import { RowStore } from "./row_store.ts";
import { newRejectRows, newStreamRows } from "./rows.ts";
import type { RejectRows, StreamRows } from "./rows.ts";

abstract class MemoryTable<ChunkRows extends StreamRows | RejectRows> {
  readonly hours = new HourCounts();
  private readonly runsById = new Map<string, Run>();

  constructor(readonly store: RowStore<ChunkRows["columns"]>) {}

  /** The stretches of source files that rows come from. */
  runs(): Run[] {
    return [...this.runsById.values()];
  }

  /** Forgets everything. */
  clear(): void {
    this.store.clear();
    this.hours.clear();
    this.runsById.clear();
  }

  protected extendRun({ generation, startOffset, endOffset }: Batch) {
    const run = this.runsById.get(generation);
    this.runsById.set(generation, {
      generation,
      start: run?.start ?? startOffset,
      end: endOffset,
    });
  }
}

/** Of a stream. */
export class StreamTable extends MemoryTable<StreamRows> {
  private givenShape: StreamShape;
  /** That of the last batch, which is part of it. */
  private lastShape: StreamShape;

  constructor(shape: StreamShape) {
    const { physical } = streamSchema(shape);
    super(new RowStore(physical, () => newStreamRows(physical, CHUNK_ROWS)));
    this.givenShape = shape;
    this.lastShape = shape;
  }

  /** What rows are made of. */
  get shape(): StreamShape {
    return this.givenShape;
  }

  /** Takes rows of another shape too; false: it did already. */
  widen(shape: StreamShape): boolean {
    if (shape === this.lastShape) return false;
    this.lastShape = shape;
    // Of another format than rows before, a shape may lack what they have.
    this.givenShape = uniteShapes(this.givenShape, shape);
    const { physical } = streamSchema(this.givenShape);
    if (!sameColumns(physical, this.store.columns)) {
      this.store.change(physical, () => newStreamRows(physical, CHUNK_ROWS));
    }
    return true;
  }

  /** Adds copies of the batch's rows. */
  add(batch: Batch): void {
    if (batch.rows.count === 0) return;
    this.store.add(batch.rows, (to, from) => this.setPositions(to, from, batch.generation));
    this.extendRun(batch);
  }

  /**
   * Says where rows come from, but for those that directly follow their predecessor, in a file and
   * in this table's hour: theirs derive from it, and nothing is stored.
   */
  private setPositions({ columns, heap, count }: StreamRows, from: number, generation: string) {
    const { ts, line_offset, line_length } = columns;
    columns.generation.start.fill(heap.constant(generation), from, count);
    columns.generation.length.fill(generation.length, from, count);
    let hour: HourCount | null = null;
    let end = -1;
    for (let row = from; row < count; row++) {
      const before: HourCount | null = hour;
      hour = this.hours.add(ts.number(row));
      const offset = line_offset.number(row);
      if (offset === end && hour === before) {
        columns.generation.length[row] = -1;
        line_offset.isNull[row] = 1;
      }
      end = offset + line_length.values[row]!;
    }
  }
}

/** Of the lines that no format could read, of all streams. */
export class RejectTable extends MemoryTable<RejectRows> {
  constructor() {
    super(new RowStore(REJECTS_SCHEMA.physical, () => newRejectRows(CHUNK_ROWS)));
  }

  /** Adds the rejects of a batch of `stream`, read from the file `path`. */
  add(stream: string, path: string, batch: Batch): void {
    for (const reject of batch.rejects) {
      this.store.addRow(({ columns, heap }, row) => {
        columns.ts.set(row, reject.ts);
        columns.stream.set(row, stream);
        columns.file.set(row, path);
        columns.reason.set(row, reject.reason);
        columns.length.setNumber(row, reject.length);
        columns.line.setStretch(row, heap.addBytes(reject.line), reject.line.length);
        columns.generation.set(row, batch.generation);
        columns.line_offset.setNumber(row, reject.line_offset);
      });
      this.hours.add(Number(reject.ts));
    }
    if (batch.rejects.length > 0) this.extendRun(batch);
  }
}
