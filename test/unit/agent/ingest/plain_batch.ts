/** Batches as plain values, to compare: a maker uses the rows of one again for the next. */
import type { AccessColumns, StreamRows } from "../../../../agent/store/rows/rows.ts";
import type { Batch } from "../../../../agent/store/batch.ts";
import { TextColumn } from "../../../../queries/duckdb/typed_columns.ts";
import type { WideColumn } from "../../../../queries/duckdb/typed_columns.ts";

/** Columns of values. */
export type PlainRows =
  & {
    [Name in Exclude<keyof AccessColumns, "line_raw">]: AccessColumns[Name] extends TextColumn
      ? (string | null)[]
      : AccessColumns[Name] extends WideColumn ? (bigint | null)[]
      : (number | null)[];
  }
  & { line_raw: (Uint8Array | null)[] };

export type PlainBatch = Omit<Batch, "rows"> & { rows: PlainRows };

export function plainBatch(batch: Batch): PlainBatch {
  return { ...batch, rows: plainRows(batch.rows) };
}

function plainRows({ columns, count }: StreamRows): PlainRows {
  const values = Object.entries(columns).map(([name, column]) => [
    name,
    Array.from({ length: count }, (_, row) => {
      if (name === "line_length") return columns.line_length.values[row]; // NULL or not
      if (!(column instanceof TextColumn)) return column.value(row);
      return name === "line_raw" ? column.bytes(row)?.slice() ?? null : column.text(row);
    }),
  ]);
  return Object.fromEntries(values) as PlainRows; // the same columns, each of its own type
}
