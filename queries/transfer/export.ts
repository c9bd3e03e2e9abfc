/** Takes a finished table out of a DuckDB process: small ones as text, larger ones as Parquet. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { carrierOf, isNested } from "./carriers.ts";

export interface ExportOptions {
  /** Where a Parquet file goes, when one is needed. The path must be free. */
  file: string;
  /** Tables that are longer than this as JSON text become Parquet. @default 65536 */
  textBytesMax?: number | undefined;
  /** Of the table, where the caller knows it: that saves counting a small one. */
  rows?: number;
}

/** A table outside DuckDB. `bytes` is the length of its texts as JSON, or of its file. */
export type Exported =
  | {
    encoding: "text";
    columns: Column[];
    /** Column by column, every value cast to VARCHAR, null for NULL. */
    values: (string | null)[][];
    rows: number;
    bytes: number;
  }
  | { encoding: "parquet"; columns: Column[]; file: string; rows: number; bytes: number };

/** Above this, Parquet is shorter and faster than text, and text strains the message limit. */
const TEXT_BYTES_MAX = 64 * 1024;

/**
 * Exports the table `table` of this engine.
 * @throws {LogvendError} bad_sql, for a column whose type cannot leave the process
 */
export async function exportTable(
  engine: Engine,
  table: string,
  options: ExportOptions,
): Promise<Exported> {
  const { textBytesMax = TEXT_BYTES_MAX, file, rows: known = null } = options;
  const columns = await columnsOf(engine, table);
  if (await fitsText(engine, { table, columns, textBytesMax, rows: known })) {
    const values = await textOf(engine, table, columns);
    const bytes = new TextEncoder().encode(JSON.stringify(values)).length;
    const rows = values[0]?.length ?? 0;
    if (bytes <= textBytesMax) return { encoding: "text", columns, values, rows, bytes };
  }
  return await writeParquet(engine, { from: identifier(table), columns, file });
}

/** Each thread holds a row group: with DuckDB's 122,880 rows a million wide rows take 490 MB, so 205. */
const ROW_GROUP_ROWS = 20_480;

/** A SELECT, the types that its columns would have in a table, and where its rows go. */
export interface ExportedSelect {
  select: string;
  columns: Column[];
  /** The path must be free. */
  file: string;
}

/**
 * Exports what a SELECT gives as Parquet, without holding it.
 * @throws {LogvendError} bad_sql, for a column whose type cannot leave the process
 */
export async function exportSelect(
  engine: Engine,
  { select, columns, file }: ExportedSelect,
): Promise<Exported> {
  return await writeParquet(engine, { from: `(${select})`, columns, file });
}

/** Names and types of a table, as DESCRIBE gives them. */
export async function columnsOf(engine: Engine, table: string): Promise<Column[]> {
  return await engine.describe(`FROM ${identifier(table)}`);
}

/** So few values are read without asking first how long they are. */
const FEW_VALUES = 100;

/** Two quotes and a comma for every value, at least. */
const VALUE_BYTES_MIN = 3;

interface Size {
  table: string;
  columns: Column[];
  /** Null when nobody has counted yet. */
  rows: number | null;
  textBytesMax: number;
}

/** Says whether the values may be short enough, looking at no more rows than could be. */
async function fitsText(
  engine: Engine,
  { table, columns, textBytesMax, rows: knownRows }: Size,
): Promise<boolean> {
  if (columns.some(({ type }) => isNested(type))) return false;
  if (knownRows !== null && knownRows * columns.length <= FEW_VALUES) return true;
  const rowsMax = Math.floor(textBytesMax / (VALUE_BYTES_MIN * columns.length));
  const lengths = columns.map(({ name }) => `coalesce(strlen(${identifier(name)}::VARCHAR), 0)`);
  const { rows } = await engine.read(
    `SELECT count(*), coalesce(sum(${lengths.join(" + ")}), 0)
      FROM (FROM ${identifier(table)} LIMIT ${rowsMax + 1})`,
  );
  const [rowCount, length] = rows[0] ?? [];
  return Number(rowCount) <= rowsMax && Number(length) <= textBytesMax;
}

async function textOf(engine: Engine, table: string, columns: Column[]) {
  const list = columns.map(({ name }) => `${identifier(name)}::VARCHAR`);
  const { rows } = await engine.read(`SELECT ${list.join(", ")} FROM ${identifier(table)}`);
  return columns.map((_, i) => rows.map((row) => row[i] === null ? null : String(row[i])));
}

async function writeParquet(
  engine: Engine,
  { from, columns, file }: { from: string; columns: Column[]; file: string },
): Promise<Exported> {
  const list = columns.map(({ name, type }) => {
    const carrier = carrierOf(type);
    if (carrier === null) {
      throw new LogvendError("bad_sql", `Column ${name} is a ${type}: cast it to VARCHAR`);
    }
    return carrier === type
      ? identifier(name)
      : `${identifier(name)}::${carrier} AS ${identifier(name)}`;
  });
  const copied = await engine.read(
    `COPY (SELECT ${list.join(", ")} FROM ${from}) TO ${literal(file)}
      (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, RETURN_STATS)`,
  );
  // Not by a look at the file: this process may not pass through the folders above it.
  const [_file, rows, bytes] = copied.rows[0] ?? [];
  return { encoding: "parquet", columns, file, rows: Number(rows), bytes: Number(bytes) };
}
