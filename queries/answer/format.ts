/** Writes a finished answer, a table in DuckDB, in the formats that people and programs read. */
import { join } from "node:path";
import { identifier, literal } from "../../protocol/schema/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";
import { carrierOf } from "../transfer/carriers.ts";
import { jsonCopyList } from "./json_copy.ts";
import { jsonList, jsonPages, pagesOf } from "./json_rows.ts";
import type { FinishedTable, JsonRow } from "./json_rows.ts";

export const ROW_FORMATS = ["json", "jsonl", "csv", "parquet", "arrow"] as const;
/** json: an array of row objects; jsonl: one row object a line; csv: with a header. */
export type RowFormat = typeof ROW_FORMATS[number];

/** Those that DuckDB writes itself, and how its COPY is told. */
const COPY_OPTIONS = {
  csv: "FORMAT csv, HEADER",
  parquet: "FORMAT parquet, COMPRESSION zstd",
} as const;
type CopyFormat = keyof typeof COPY_OPTIONS;
type OwnFormat = Exclude<RowFormat, CopyFormat>;

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
  return isCopied(format)
    ? throughFile(engine, table, format, scratchFolder)
    : formatted(engine, table, format);
}

/** Where rows are written to. */
export interface RowTarget {
  /** As DuckDB opens it; the lockdown must allow it. */
  path: string;
  /** As we open it. */
  open(): Promise<WritableStream<Uint8Array<ArrayBuffer>>>;
}

/** The standard output of this process. */
export const STDOUT: RowTarget = {
  path: "/dev/stdout",
  open: () => Promise.resolve(Deno.stdout.writable),
};

export function fileTarget(path: string): RowTarget {
  return { path, open: async () => (await Deno.create(path)).writable };
}

/** Writes the rows of a table as they are made, and returns how many they are. */
export async function writeRows(
  engine: Engine,
  table: FinishedTable,
  format: RowFormat,
  target: RowTarget,
): Promise<number> {
  if (isCopied(format)) return await copyRows(engine, table, format, target.path);
  const list = format === "arrow" ? null : jsonCopyList(table.columns);
  if (list !== null) {
    const options = `FORMAT json, ARRAY ${format === "json"}`;
    return await copyList(engine, { list, from: table.from, path: target.path, options });
  }
  let rowCount = 0;
  const blocks = formatted(engine, table, format, (rows) => rowCount += rows);
  await ReadableStream.from(blocks).pipeTo(await target.open());
  return rowCount;
}

function isCopied(format: RowFormat): format is CopyFormat {
  return format in COPY_OPTIONS;
}

async function copyRows(
  engine: Engine,
  table: FinishedTable,
  format: CopyFormat,
  path: string,
): Promise<number> {
  const list = format === "parquet" ? parquetList(table) : "*";
  return await copyList(engine, { list, from: table.from, path, options: COPY_OPTIONS[format] });
}

interface Copy {
  list: string;
  from: string;
  path: string;
  options: string;
}

async function copyList(engine: Engine, { list, from, path, options }: Copy): Promise<number> {
  const { rows } = await engine.read(
    `COPY (SELECT ${list} FROM ${from}) TO ${literal(path)} (${options})`,
  );
  return Number(rows[0]?.[0]);
}

async function* throughFile(
  engine: Engine,
  table: FinishedTable,
  format: CopyFormat,
  scratchFolder: string,
) {
  const path = join(scratchFolder, `${crypto.randomUUID()}.answer`);
  try {
    await copyRows(engine, table, format, path);
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

async function* formatted(
  engine: Engine,
  table: FinishedTable,
  format: OwnFormat,
  onRows: (count: number) => void = () => {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { columns, firstPage } = table;
  if (format === "arrow") { // loaded when it is wanted: it costs a program's start 55 ms and more
    const { arrowList, arrowStream, arrowWidths } = await import("./arrow.ts");
    const select = `SELECT ${arrowList(columns)} FROM ${table.from}`;
    const chunks = engine.streamRaw(select, arrowWidths(columns));
    yield* arrowStream(columns, counted(chunks, ({ rows }) => onRows(rows)));
    return;
  }
  const pages = counted(
    pagesOf(engine, table, jsonList(columns), firstPage),
    (page) => onRows(page.length),
  );
  const rows = jsonPages(columns, pages);
  yield* format === "json" ? jsonArray(rows) : jsonLines(rows);
}

async function* counted<T>(pages: AsyncIterable<T>, count: (page: T) => void) {
  for await (const page of pages) {
    count(page);
    yield page;
  }
}

async function* jsonArray(pages: AsyncIterable<JsonRow[]>) {
  const encoder = new TextEncoder();
  let before = "[";
  for await (const rows of pages) {
    if (rows.length === 0) continue;
    yield encoder.encode(before + rows.map((row) => JSON.stringify(row)).join(",\n"));
    before = ",\n";
  }
  yield encoder.encode(before === "[" ? "[]" : "]");
}

async function* jsonLines(pages: AsyncIterable<JsonRow[]>) {
  const encoder = new TextEncoder();
  for await (const rows of pages) {
    yield encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }
}
