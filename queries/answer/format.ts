/** Writes a finished answer, a table in DuckDB, in the formats that people and programs read. */
import { join } from "node:path";
import { literal } from "../../protocol/table_sql.ts";
import { identifier } from "../../protocol/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";
import { carrierOf } from "../transfer/carriers.ts";
import { jsonPages } from "./json_rows.ts";
import type { FinishedTable } from "./json_rows.ts";

export const ROW_FORMATS = ["json", "jsonl", "csv", "parquet", "arrow"] as const;
/** json: an array of row objects; jsonl: one row object a line; csv: with a header. */
export type RowFormat = typeof ROW_FORMATS[number];

/**
 * The rows of a table of this engine. Formats that DuckDB writes go through a file in
 * `scratchFolder`, which is deleted when the bytes have been read or are abandoned.
 */
export function formatRows(
  engine: Engine,
  table: FinishedTable,
  format: RowFormat,
  scratchFolder: string,
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  switch (format) {
    case "json":
      return jsonArray(engine, table);
    case "jsonl":
      return jsonLines(engine, table);
    case "arrow":
      return lazyArrow(engine, table);
    case "csv":
      return copied(engine, { table, options: "FORMAT csv, HEADER", scratchFolder });
    case "parquet":
      return copied(engine, { table, options: "FORMAT parquet, COMPRESSION zstd", scratchFolder });
  }
}

/** Loads the library when it is wanted: it costs a program's start 55 ms and more. */
async function* lazyArrow(engine: Engine, table: FinishedTable) {
  const { arrowStream } = await import("./arrow.ts");
  yield* arrowStream(engine, table);
}

async function* jsonArray(engine: Engine, table: FinishedTable) {
  const encoder = new TextEncoder();
  let before = "[";
  for await (const rows of jsonPages(engine, table)) {
    if (rows.length === 0) continue;
    yield encoder.encode(before + rows.map((row) => JSON.stringify(row)).join(",\n"));
    before = ",\n";
  }
  yield encoder.encode(before === "[" ? "[]" : "]");
}

async function* jsonLines(engine: Engine, table: FinishedTable) {
  const encoder = new TextEncoder();
  for await (const rows of jsonPages(engine, table)) {
    yield encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }
}

interface Copy {
  table: FinishedTable;
  /** Of DuckDB's COPY. */
  options: string;
  scratchFolder: string;
}

async function* copied(engine: Engine, { table, options, scratchFolder }: Copy) {
  const path = join(scratchFolder, `${crypto.randomUUID()}.answer`);
  try {
    const list = options.startsWith("FORMAT parquet") ? parquetList(table) : "*";
    await engine.run(
      `COPY (SELECT ${list} FROM ${table.from}) TO ${literal(path)} (${options})`,
    );
    using file = await Deno.open(path);
    for await (const bytes of file.readable) yield bytes;
  } finally {
    await Deno.remove(path).catch(() => {}); // a failed COPY leaves none
  }
}

/** Parquet would round HUGEINT (every sum of integers) to a DOUBLE, and others likewise. */
function parquetList({ columns }: FinishedTable): string {
  return columns.map(({ name, type }) => {
    const kept = type === "HUGEINT" ? "DECIMAL(38, 0)" : carrierOf(type) ?? "VARCHAR";
    return kept === type ? identifier(name) : `${identifier(name)}::${kept} AS ${identifier(name)}`;
  }).join(", ");
}
