/** The newest rows: typed tables in an in-memory DuckDB until a flush makes them durable parts. */
import { hourOf } from "../../protocol/chunk_path.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { ACCESS, literal, REJECTS, schemaOf } from "../../protocol/streams.ts";
import { identifier } from "../../queries/columns.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { TableAppender } from "../../queries/duckdb/engine.ts";
import { blobValue, duckdbType, timestampValue } from "../../queries/duckdb/types.ts";
import type { DuckDBValue } from "../../queries/duckdb/types.ts";
import { TextColumn } from "../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../queries/duckdb/typed_columns.ts";
import type { AccessRows } from "./access_rows.ts";
import type { Batch } from "./batch.ts";
import type { Run } from "./catalog.ts";

/**
 * Rows of a row group in parts. DuckDB's own 122,880 hold all rows of a flush a second time while
 * they are written (31 MB of 50,000 rows, 8 MB with these); parts are small and soon sealed anyway.
 */
const ROW_GROUP_ROWS = 10_240;

/** What memory holds of one stream and event hour. */
export interface HourInMemory {
  stream: string;
  hour: string;
  rows: number;
  tsMinUs: number;
  tsMaxUs: number;
}

export class MemoryRows implements AsyncDisposable {
  private rowCounts = new Map<string, number>();
  private runs = new Map<string, Map<string, Run>>();
  /** Of tables with rows: a transaction for each batch would cost milliseconds. */
  private readonly appenders = new Map<string, TableAppender>();
  private isLost = false;
  /** Goes up with every change: a copy made at the same version is still right. */
  version = 0;
  /** Bytes of log lines in memory. */
  lineBytes = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly host: string,
    private readonly tables: readonly string[],
  ) {}

  static async open(host: string, streams: readonly string[]): Promise<MemoryRows> {
    const memory = new MemoryRows(await Engine.open(), host, [...streams, REJECTS]);
    for (const table of memory.tables) await memory.createTable(table);
    return memory;
  }

  get rows(): number {
    return this.tables.reduce((sum, table) => sum + this.rowCount(table), 0);
  }

  rowCount(table: string): number {
    return this.rowCounts.get(table) ?? 0;
  }

  /** Adds the rows and rejects of a batch of `stream`, read from the file `path`. */
  async add(stream: string, path: string, batch: Batch): Promise<void> {
    if (batch.rows.count > 0) await this.appendRows(stream, batch);
    if (batch.rejects.length > 0) await this.appendRejects(stream, path, batch);
    this.lineBytes += batch.endOffset - batch.startOffset;
    this.version++;
  }

  /** Hours that wait, by stream. */
  async hours(): Promise<HourInMemory[]> {
    this.settle();
    const hours: HourInMemory[] = [];
    for (const stream of this.tables) {
      if (this.rowCount(stream) === 0) continue;
      const { rows } = await this.engine.read(
        `SELECT epoch_ms(date_trunc('hour', ts)), count(*), epoch_us(min(ts)), epoch_us(max(ts))
         FROM ${identifier(stream)} GROUP BY 1 ORDER BY 1`,
      );
      for (const [hourMs, count, tsMinUs, tsMaxUs] of rows) {
        hours.push({
          stream,
          hour: hourOf(Number(hourMs)),
          rows: Number(count),
          tsMinUs: Number(tsMinUs),
          tsMaxUs: Number(tsMaxUs),
        });
      }
    }
    return hours;
  }

  /** The stretches of source files that the waiting rows of a stream come from. */
  runsOf(stream: string): Run[] {
    return [...this.runs.get(stream)?.values() ?? []];
  }

  /** Writes one hour of a stream as Parquet, in the order the rows came. */
  async copyHour(entry: HourInMemory, path: string, metadata: string): Promise<void> {
    const start = `${entry.hour.replace("T", " ")}:00:00`;
    await this.engine.run(
      `COPY (SELECT * REPLACE (${literal(this.host)} AS host) FROM ${identifier(entry.stream)}
         WHERE ts >= ${literal(start)}::TIMESTAMP
           AND ts < ${literal(start)}::TIMESTAMP + INTERVAL 1 HOUR)
       TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS},
         KV_METADATA {logvend: $metadata})`,
      { metadata },
    );
  }

  /** Writes all waiting rows of a stream as Parquet, for queries: quick, not synced. */
  async copyAll(stream: string, path: string): Promise<void> {
    this.settle();
    await this.engine.run(
      `COPY (SELECT * REPLACE (${literal(this.host)} AS host) FROM ${identifier(stream)})
       TO ${
        literal(path)
      } (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
    );
  }

  /** Forgets everything: the rows have become durable. What fails here must not be flushed again. */
  async clear(): Promise<void> {
    this.isLost = true;
    this.closeAppenders();
    for (const table of this.tables) {
      if (this.rowCount(table) > 0) await this.createTable(table);
    }
    this.isLost = false;
    this.rowCounts = new Map();
    this.runs = new Map();
    this.lineBytes = 0;
    this.version++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeAppenders();
    await this.engine[Symbol.asyncDispose]();
  }

  /** Lets SQL see all rows. When that fails nobody knows which it sees: nothing may be flushed. */
  private settle() {
    if (this.isLost) throw new LogvendError("internal", "Rows in memory are in doubt");
    this.isLost = true;
    for (const appender of this.appenders.values()) appender.flush();
    this.isLost = false;
  }

  private closeAppenders() {
    for (const appender of this.appenders.values()) appender[Symbol.dispose]();
    this.appenders.clear();
  }

  private async createTable(table: string) {
    const columns = schemaOf(table).physical.map(({ name, type }) => `${name} ${type}`);
    await this.engine.run(`CREATE OR REPLACE TABLE ${identifier(table)} (${columns.join(", ")})`);
  }

  private async appendRows(stream: string, batch: Batch) {
    const appender = await this.appender(stream);
    appendAccess(appender, batch);
    this.added(stream, batch.rows.count, batch);
  }

  private async appendRejects(stream: string, path: string, batch: Batch) {
    const columns = rejectColumns(stream, path, batch);
    const { physical } = schemaOf(REJECTS);
    const nulls = batch.rejects.map(() => null);
    const appender = await this.appender(REJECTS);
    appender.append(
      physical.map(({ type }) => duckdbType(type)),
      physical.map(({ name }) => columns[name] ?? nulls),
    );
    this.added(REJECTS, batch.rejects.length, batch);
  }

  private async appender(table: string): Promise<TableAppender> {
    const appender = this.appenders.get(table) ?? await this.engine.appender(table);
    this.appenders.set(table, appender);
    return appender;
  }

  private added(table: string, rows: number, batch: Batch) {
    this.rowCounts.set(table, this.rowCount(table) + rows);
    this.extendRun(table, batch);
  }

  private extendRun(table: string, { generation, startOffset, endOffset }: Batch) {
    const runs = this.runs.get(table) ?? new Map<string, Run>();
    const run = runs.get(generation);
    runs.set(generation, { generation, start: run?.start ?? startOffset, end: endOffset });
    this.runs.set(table, runs);
  }
}

type Columns = Record<string, DuckDBValue[]>;

/** Appends the rows of a batch to a table with the physical columns of access logs. */
export function appendAccess(appender: TableAppender, { generation, rows }: Batch): void {
  const columns = new Map<string, TypedColumn>(Object.entries(rows.columns));
  columns.set("generation", repeated(rows, generation));
  const { physical } = ACCESS;
  appender.appendTyped(
    physical.map(({ type }) => duckdbType(type)),
    physical.map(({ name }) => columns.get(name) ?? null),
    rows.count,
  );
}

function repeated({ heap, count }: AccessRows, text: string): TextColumn {
  const column = new TextColumn(heap, count);
  column.start.fill(heap.constant(text));
  column.length.fill(text.length);
  return column;
}

function rejectColumns(stream: string, path: string, { generation, rejects }: Batch): Columns {
  return {
    ts: rejects.map((reject) => timestampValue(reject.ts)),
    stream: rejects.map(() => stream),
    file: rejects.map(() => path),
    reason: rejects.map((reject) => reject.reason),
    length: rejects.map((reject) => BigInt(reject.length)),
    line: rejects.map((reject) => blobValue(reject.line)),
    generation: rejects.map(() => generation),
    line_offset: rejects.map((reject) => BigInt(reject.line_offset)),
  };
}
