/** Takes a finished table out of a DuckDB process: small ones as text, larger ones as Parquet. */
import type { Column } from "../../protocol/messages.ts";
import type { Engine } from "../duckdb/engine.ts";

export interface ExportOptions {
  /** Where a Parquet file goes, when one is needed. The path must be free. */
  file: string;
  /** Tables whose texts are longer than this become Parquet. @default 65536 */
  textBytesMax?: number;
}

/** A table outside DuckDB. `bytes` is the length of its texts, or of its file. */
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

/** Exports the table `table` of this engine. */
export function exportTable(
  _engine: Engine,
  _table: string,
  _options: ExportOptions,
): Promise<Exported> {
  throw new Error("being written");
}
