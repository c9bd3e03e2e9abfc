/** The newest rows, in memory until a flush makes them durable parts; DuckDB writes those. */
import { hourOf } from "../../protocol/chunk_path.ts";
import { REJECTS } from "../../protocol/streams.ts";
import { literal } from "../../protocol/table_sql.ts";
import { EMPTY_SHAPE } from "../../protocol/stream_shape.ts";
import type { StreamShape } from "../../protocol/stream_shape.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { Batch } from "./batch.ts";
import type { Run } from "./catalog.ts";
import { RejectTable, StreamTable } from "./memory_table.ts";

/**
 * Rows of a row group in parts. DuckDB's own 122,880 hold all rows of a flush a second time while
 * they are written (31 MB of 50,000 rows, 8 MB with these); parts are small and soon sealed anyway.
 */
const ROW_GROUP_ROWS = 10_240;

const HOUR_MS = 3_600_000;

/** What memory holds of one stream and event hour. */
export interface HourInMemory {
  stream: string;
  hour: string;
  rows: number;
  tsMinUs: number;
  tsMaxUs: number;
}

/** What a part is written with. */
interface Copy {
  table: string;
  /** A WHERE clause, or nothing. */
  where: string;
  path: string;
  compression: "lz4" | "uncompressed";
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
  ) {
    this.streams = new Map([...shapes].map(([stream, shape]) => [stream, new StreamTable(shape)]));
    for (const stream of shapes.keys()) this.unsaved.add(stream);
    for (const [name] of this.tables()) this.addSource(name);
  }

  /** @param shapes of the streams, by name */
  static async open(
    host: string,
    shapes: ReadonlyMap<string, StreamShape>,
  ): Promise<MemoryRows> {
    return new MemoryRows(await Engine.open(), host, shapes);
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
      hours.entries().map(({ index, ...count }) => {
        return { stream, hour: hourOf(index * HOUR_MS), ...count };
      })
    );
  }

  /** The stretches of source files that the waiting rows of a table come from. */
  runsOf(table: string): Run[] {
    return this.table(table)?.runs() ?? [];
  }

  /**
   * Writes one hour of a stream as Parquet, in the order the rows came. LZ4, as parts live for an
   * hour: zstd would make them a third smaller, for 6 % more CPU from the log to the chunk. Pages of
   * version 2 make them a sixth smaller, for a tenth less CPU to write and to merge them.
   */
  async copyHour(entry: HourInMemory, path: string, metadata: string): Promise<void> {
    const { stream: table, hour, rows } = entry;
    const start = `${literal(`${hour.replace("T", " ")}:00:00`)}::TIMESTAMP`;
    const where = rows === this.rowCount(table)
      ? ""
      : `WHERE ts >= ${start} AND ts < ${start} + INTERVAL 1 HOUR`;
    await this.copy({ table, where, path, compression: "lz4", metadata });
  }

  /** Writes all waiting rows of a table as Parquet, for queries: quick, not synced. */
  async copyAll(table: string, path: string): Promise<void> {
    await this.copy({ table, where: "", path, compression: "uncompressed", metadata: "{}" });
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

  private async copy({ table, where, path, compression, metadata }: Copy) {
    await this.engine.run(
      `COPY (SELECT * REPLACE (${literal(this.host)} AS host)
         FROM ${this.sources.get(table)}() ${where})
       TO ${literal(path)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION ${compression},
         ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, KV_METADATA {logvend: $metadata})`,
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
