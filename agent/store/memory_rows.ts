/** The newest rows: typed tables in an in-memory DuckDB until a flush makes them durable parts. */
import { hourOf } from "../../protocol/chunk_path.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { literal, REJECTS, schemaOf } from "../../protocol/streams.ts";
import { identifier } from "../../queries/columns.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { TableAppender } from "../../queries/duckdb/engine.ts";
import { blobValue, duckdbType, timestampValue } from "../../queries/duckdb/types.ts";
import type { DuckDBType, DuckDBValue } from "../../queries/duckdb/types.ts";
import type { AccessRows, Batch } from "./batch.ts";
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
    await this.append(stream, accessColumns(batch.generation, batch.rows), batch);
    await this.append(REJECTS, rejectColumns(stream, path, batch), batch);
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

  private async append(table: string, columns: Columns, batch: Batch) {
    const rows = columns.ts?.length ?? 0;
    if (rows === 0) return;
    const types: DuckDBType[] = [];
    const values: DuckDBValue[][] = [];
    for (const { name, type } of schemaOf(table).physical) {
      types.push(duckdbType(type));
      values.push(columns[name] ?? new Array<null>(rows).fill(null));
    }
    const appender = this.appenders.get(table) ?? await this.engine.appender(table);
    this.appenders.set(table, appender);
    appender.append(types, values);
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

/** Rows as columns of DuckDB's values, by physical column; absent ones are NULL. */
export function accessColumns(generation: string, rows: AccessRows): Columns {
  const { ts, line_raw, line_offset, ...others } = rows;
  return {
    ...others,
    ts: ts.map(timestampValue),
    line_raw: line_raw.map((bytes) => bytes === null ? null : blobValue(bytes)),
    generation: ts.map(() => generation),
    line_offset: line_offset.map(BigInt),
  };
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
