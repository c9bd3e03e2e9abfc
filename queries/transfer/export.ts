/** Takes a finished table out of a DuckDB process: small ones as text, larger ones as Parquet. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/messages.ts";
import { literal } from "../../protocol/streams.ts";
import type { Engine } from "../duckdb/engine.ts";
import { identifier } from "../columns.ts";
import { carrierOf, isNested } from "./carriers.ts";

export interface ExportOptions {
  /** Where a Parquet file goes, when one is needed. The path must be free. */
  file: string;
  /** Tables that are longer than this as JSON text become Parquet. @default 65536 */
  textBytesMax?: number;
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
  const { textBytesMax = TEXT_BYTES_MAX, file } = options;
  const columns = await columnsOf(engine, table);
  const rows = await rowCountOf(engine, table);
  const fitsText = rows <= textBytesMax && columns.every(({ type }) => !isNested(type));
  if (fitsText && await textLength(engine, table, columns) <= textBytesMax) {
    const values = await textOf(engine, table, columns);
    const bytes = new TextEncoder().encode(JSON.stringify(values)).length;
    if (bytes <= textBytesMax) return { encoding: "text", columns, values, rows, bytes };
  }
  await writeParquet(engine, { table, columns, file });
  return { encoding: "parquet", columns, file, rows, bytes: (await Deno.stat(file)).size };
}

/** Names and types of a table, as DESCRIBE gives them. */
export async function columnsOf(engine: Engine, table: string): Promise<Column[]> {
  const { rows } = await engine.read(`DESCRIBE ${identifier(table)}`);
  return rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
}

async function rowCountOf(engine: Engine, table: string): Promise<number> {
  const { rows } = await engine.read(`SELECT count(*) FROM ${identifier(table)}`);
  return Number(rows[0]?.[0]);
}

/** Bytes of all values as text, without quotes and commas. */
async function textLength(engine: Engine, table: string, columns: Column[]): Promise<number> {
  const lengths = columns.map(({ name }) =>
    `coalesce(sum(strlen(${identifier(name)}::VARCHAR)), 0)`
  );
  const { rows } = await engine.read(`SELECT ${lengths.join(" + ")} FROM ${identifier(table)}`);
  return Number(rows[0]?.[0]);
}

async function textOf(engine: Engine, table: string, columns: Column[]) {
  const list = columns.map(({ name }) => `${identifier(name)}::VARCHAR`);
  const { rows } = await engine.read(`SELECT ${list.join(", ")} FROM ${identifier(table)}`);
  return columns.map((_, i) => rows.map((row) => row[i] === null ? null : String(row[i])));
}

async function writeParquet(
  engine: Engine,
  { table, columns, file }: { table: string; columns: Column[]; file: string },
) {
  const list = columns.map(({ name, type }) => {
    const carrier = carrierOf(type);
    if (carrier === null) {
      throw new LogvendError("bad_sql", `Column ${name} is a ${type}: cast it to VARCHAR`);
    }
    return carrier === type
      ? identifier(name)
      : `${identifier(name)}::${carrier} AS ${identifier(name)}`;
  });
  await engine.run(
    `COPY (SELECT ${list.join(", ")} FROM ${identifier(table)}) TO ${literal(file)}
      (FORMAT parquet, COMPRESSION zstd)`,
  );
}
