/** The newest rows, in memory until a flush makes them durable parts; DuckDB writes those. */
import { hourOf } from "../../../protocol/chunk/chunk_path.ts";
import { ACCESS, REJECTS } from "../../../protocol/schema/streams.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import { EMPTY_SHAPE } from "../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import type { Batch } from "../batch.ts";
import type { Run } from "../database/catalog.ts";
import { stretchesOf } from "./hour_counts.ts";
import type { Stretch } from "./hour_counts.ts";
import { RejectTable, StreamTable } from "./memory_table.ts";

/** How rows are written as Parquet, in pages of version 2. */
interface Form {
  compression: "uncompressed" | "lz4" | "zstd";
  rowGroupRows: number;
}

/**
 * Parts that are merged within the hour. LZ4: zstd would make them a third smaller, for 6 % more CPU
 * from the log to the chunk. DuckDB's own row groups of 122,880 rows hold all rows of a flush a second
 * time while they are written (31 MB of 50,000 rows, 8 MB with these).
 */
const PART: Form = { compression: "lz4", rowGroupRows: 10_240 };

/** Parts as chunks are, in one row group: sealing copies them. */
const BULK_PART: Form = { compression: "zstd", rowGroupRows: 2 ** 24 };
/** What DuckDB may use for those; a row group of an import takes half of it. */
const BULK_MEMORY_BYTES = 600 * 2 ** 20;

/** Copies for queries: quick, and soon gone. */
const COPY: Form = { compression: "uncompressed", rowGroupRows: PART.rowGroupRows };

const HOUR_MS = 3_600_000;

/** What memory holds of one stream and event hour. */
export interface HourInMemory {
  stream: string;
  hour: string;
  rows: number;
  tsMinUs: number;
  tsMaxUs: number;
  /** Where in the hour there are rows. */
  stretches: Stretch[];
}

/** What a part is written with. */
interface Copy {
  table: string;
  /** A WHERE clause, or nothing. */
  where: string;
  path: string;
  form: Form;
  /** JSON. */
  metadata: string;
}

export class MemoryRows implements AsyncDisposable {
  /** By name. */
  private readonly streams: ReadonlyMap<string, StreamTable>;
  private readonly rejects = new RejectTable();
  /** By table, the function that SQL reads it with. */
  private readonly sources = new Map<string, string>();
  private sourceCount = 0;
  /** Streams whose shape is not durable yet. */
  private readonly unsaved = new Set<string>();
  /** Goes up with every change: a copy made at the same version is still right. */
  version = 0;
  /** Bytes of log lines in memory. */
  lineBytes = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly host: string,
    shapes: ReadonlyMap<string, StreamShape>,
    private readonly partForm: Form,
  ) {
    this.streams = new Map([...shapes].map(([stream, shape]) => [stream, new StreamTable(shape)]));
    for (const stream of shapes.keys()) this.unsaved.add(stream);
    for (const [name] of this.tables()) this.addSource(name);
  }

  /** @param shapes of the streams, by name; isBulk: see StoreOptions */
  static async open(
    host: string,
    shapes: ReadonlyMap<string, StreamShape>,
    isBulk = false,
  ): Promise<MemoryRows> {
    const engine = await Engine.open(isBulk ? { memoryBytes: BULK_MEMORY_BYTES } : {});
    return new MemoryRows(engine, host, shapes, isBulk ? BULK_PART : PART);
  }

  /** What a stream's rows are made of, here and before. */
  shape(stream: string): StreamShape {
    return this.streams.get(stream)?.shape ?? EMPTY_SHAPE;
  }

  /** Those that are not durable yet, by stream. */
  unsavedShapes(): Map<string, StreamShape> {
    return new Map([...this.unsaved].map((stream) => [stream, this.shape(stream)]));
  }

  get rows(): number {
    return this.tables().reduce((sum, [, { store }]) => sum + store.rows, 0);
  }

  /** What rows take of memory, in rows of access logs: those of more columns count as more. */
  get load(): number {
    return this.tables().reduce((sum, [, { store: { rows, columns } }]) => {
      return sum + rows * Math.max(1, columns.length / ACCESS.physical.length);
    }, 0);
  }

  rowCount(table: string): number {
    return this.table(table)?.store.rows ?? 0;
  }

  /** Adds copies of the rows and rejects of a batch of `stream`, read from the file `path`. */
  add(stream: string, path: string, batch: Batch): void {
    const table = this.streams.get(stream);
    if (table === undefined) throw new Error(`No stream ${stream}`);
    if (batch.rows.count > 0) this.widen(stream, table, batch.shape);
    table.add(batch);
    this.rejects.add(stream, path, batch);
    this.lineBytes += batch.endOffset - batch.startOffset;
    this.version++;
  }

  private widen(stream: string, table: StreamTable, shape: StreamShape) {
    const { columns } = table.store;
    if (table.widen(shape)) this.unsaved.add(stream);
    if (table.store.columns !== columns) this.addSource(stream);
  }

  /** A function has the columns that it was made with: others take another one. */
  private addSource(name: string) {
    const table = this.table(name);
    if (table === undefined) return;
    const source = `rows_${this.sourceCount++}`;
    this.engine.addSource(source, table.store);
    this.sources.set(name, source);
  }

  /** Hours that wait, by table. */
  hours(): HourInMemory[] {
    return this.tables().flatMap(([stream, { hours }]) =>
      hours.entries().map((count) => {
        const { index, rows, tsMinUs, tsMaxUs } = count;
        const facts = { rows, tsMinUs, tsMaxUs, stretches: stretchesOf(count) };
        return { stream, hour: hourOf(index * HOUR_MS), ...facts };
      })
    );
  }

  /** The stretches of source files that the waiting rows of a table come from. */
  runsOf(table: string): Run[] {
    return this.table(table)?.runs() ?? [];
  }

  /** Writes one hour of a stream as Parquet, in the order the rows came. */
  async copyHour(entry: HourInMemory, path: string, metadata: string): Promise<void> {
    const { stream: table, hour, rows, tsMinUs, tsMaxUs } = entry;
    const store = this.table(table)?.store;
    if (store === undefined || rows === store.rows) {
      return await this.copy({ table, where: "", path, form: this.partForm, metadata });
    }
    const start = `${literal(`${hour.replace("T", " ")}:00:00`)}::TIMESTAMP`;
    const where = `WHERE ts >= ${start} AND ts < ${start} + INTERVAL 1 HOUR`;
    store.shown = { minUs: tsMinUs, maxUs: tsMaxUs };
    try {
      await this.copy({ table, where, path, form: this.partForm, metadata });
    } finally {
      store.shown = null;
    }
  }

  /** Writes all waiting rows of a table as Parquet, for queries: quick, not synced. */
  async copyAll(table: string, path: string): Promise<void> {
    await this.copy({ table, where: "", path, form: COPY, metadata: "{}" });
  }

  /** Forgets everything: the rows have become durable. */
  clear(): void {
    for (const [, table] of this.tables()) table.clear();
    this.unsaved.clear();
    this.lineBytes = 0;
    this.version++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }

  private async copy({ table, where, path, form, metadata }: Copy) {
    await this.engine.run(
      `COPY (SELECT * REPLACE (${literal(this.host)} AS host)
         FROM ${this.sources.get(table)}() ${where})
       TO ${literal(path)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION ${form.compression},
         ROW_GROUP_SIZE ${form.rowGroupRows}, KV_METADATA {logvend: $metadata})`,
      { metadata },
    );
  }

  private table(name: string): StreamTable | RejectTable | undefined {
    return name === REJECTS ? this.rejects : this.streams.get(name);
  }

  private tables(): [string, StreamTable | RejectTable][] {
    return [...this.streams, [REJECTS, this.rejects]];
  }
}
