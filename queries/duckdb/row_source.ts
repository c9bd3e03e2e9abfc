/** Rows in JavaScript's memory that SQL reads as a table. */
import { DuckDBTableFunction } from "@duckdb/node-api";
import type { DuckDBDataChunk } from "@duckdb/node-api";
import type { Column } from "../../protocol/wire/messages.ts";
import { RawChunks } from "./raw_chunk.ts";
import { duckdbValue } from "./typed_columns.ts";
import type { TypedColumn } from "./typed_columns.ts";
import { duckdbType } from "./types.ts";

/** The first `rows` values of columns: CHUNK_ROWS at most. A column that is null is all NULL. */
export interface TypedChunk {
  columns: readonly (TypedColumn | null)[];
  rows: number;
}

/** A table. What its chunks stand on stays as it is while a statement reads it. */
export interface RowSource {
  columns: readonly Column[];
  /** All of its rows, in order; called for each statement. */
  typedChunks(): Iterator<TypedChunk>;
}

/**
 * The table function that reads a source. Its calls come from DuckDB's thread and are answered by
 * ours, so nothing may wait for the statement without awaiting it.
 * @param isRaw whether values go in as they lie in memory, or each as a JavaScript value
 */
export function tableFunction(
  name: string,
  source: RowSource,
  isRaw: boolean,
): DuckDBTableFunction {
  const { columns } = source;
  const types = columns.map(({ type }) => duckdbType(type));
  const raw = isRaw ? new RawChunks(columns.map(({ type }) => type)) : null;
  let chunks: Iterator<TypedChunk> | null = null;
  return DuckDBTableFunction.create({
    name,
    bindFunction: (bind) => {
      for (const [i, type] of types.entries()) bind.addResultColumn(columns[i]?.name ?? "", type);
    },
    initFunction: () => {
      chunks = source.typedChunks();
    },
    mainFunction: (_, output) => {
      let next = chunks?.next();
      while (next?.value?.rows === 0) next = chunks?.next(); // no rows would end the scan
      if (next === undefined || next.done === true) output.rowCount = 0;
      else if (raw === null) fillPlain(output, columns, next.value);
      else raw.fill(output, next.value);
    },
  });
}

function fillPlain(
  output: DuckDBDataChunk,
  columns: readonly Column[],
  { columns: typed, rows }: TypedChunk,
) {
  output.rowCount = rows;
  for (const [i, { type }] of columns.entries()) {
    const column = typed[i] ?? null;
    const values = Array.from(
      { length: rows },
      (_, row) => column === null ? null : duckdbValue(column, type, row),
    );
    output.setColumnValues(i, values);
  }
}
