/** Writes a finished answer, a table in DuckDB, in the formats that people and programs read. */
import type { Engine } from "../duckdb/engine.ts";

export const ROW_FORMATS = ["json", "jsonl", "csv", "parquet", "arrow"] as const;
/** json: an array of row objects; jsonl: one row object a line; csv: with a header. */
export type RowFormat = typeof ROW_FORMATS[number];

/**
 * The rows of the table `table` of this engine. Formats that DuckDB writes go through a file in
 * `scratchFolder`, which is deleted when the bytes have been read or are abandoned.
 */
export function formatRows(
  _engine: Engine,
  _table: string,
  _format: RowFormat,
  _scratchFolder: string,
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  throw new Error("being written");
}
