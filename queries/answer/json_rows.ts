/** Rows of a table as JSON values: no digit is lost, no value is invented. */
import type { Column } from "../../protocol/messages.ts";
import { isNested } from "../transfer/carriers.ts";
import { identifier } from "../columns.ts";
import type { Engine } from "../duckdb/engine.ts";
import { parseLossless } from "../lossless_json.ts";

/** A value as JSON answers hold it. Numbers that a double cannot hold exactly are strings. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | JsonValue[]
  | { [key: string]: JsonValue };

export type JsonRow = Record<string, JsonValue>;

/** A table of an engine: its name, and its columns as DESCRIBE gives them. */
export interface FinishedTable {
  name: string;
  columns: readonly Column[];
}

/** Rows read at once: memory is bounded, however long the table. */
export const PAGE_ROWS = 2_048;

/** How one type is read: the SQL that reads it, and what becomes of the value read. */
interface Reading {
  sql: (column: string) => string;
  toJson: (value: unknown) => JsonValue;
}

/** Pages of at most PAGE_ROWS rows, in the table's order; at least one. */
export async function* jsonPages(
  engine: Engine,
  { name: table, columns }: FinishedTable,
): AsyncGenerator<JsonRow[]> {
  const readings = columns.map(({ type }) => readingOf(type));
  const list = columns.map(({ name }, i) => readings[i]?.sql(identifier(name)));
  for await (const rows of pagesOf(engine, table, list.join(", "))) {
    yield rows.map((row) =>
      Object.fromEntries(
        columns.map(({ name }, i) => [name, readings[i]?.toJson(row[i]) ?? null]),
      )
    );
  }
}

/** What `SELECT list FROM table` gives, in pages and in the table's order; at least one page. */
export async function* pagesOf(
  engine: Engine,
  table: string,
  list: string,
): AsyncGenerator<unknown[][]> {
  for (let start = 0;; start += PAGE_ROWS) {
    const { rows } = await engine.read(
      `SELECT ${list} FROM ${identifier(table)}
        WHERE rowid >= ${start} AND rowid < ${start + PAGE_ROWS}`,
    );
    if (rows.length > 0 || start === 0) yield rows;
    if (rows.length < PAGE_ROWS) return;
  }
}

const WHOLE_NUMBER = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/;

function readingOf(type: string): Reading {
  if (type === "BOOLEAN" || type === "DOUBLE" || WHOLE_NUMBER.test(type)) return AS_IS;
  if (type === "FLOAT" || type.startsWith("DECIMAL")) return DIGITS;
  if (type === "JSON" || isNested(type)) return JSON_TEXT;
  return TEXT;
}

const AS_IS: Reading = {
  sql: (column) => column,
  toJson: (value) => {
    if (typeof value === "bigint") return numberOf(String(value));
    if (typeof value === "number") return Number.isFinite(value) ? value : nameOf(value);
    return value as boolean | null; // nothing else is in such columns
  },
};

const TEXT: Reading = {
  sql: (column) => `${column}::VARCHAR`,
  toJson: (value) => value === null ? null : String(value),
};

const DIGITS: Reading = {
  ...TEXT,
  toJson: (value) => value === null ? null : numberOf(String(value)),
};

const JSON_TEXT: Reading = {
  sql: (column) => `to_json(${column})::VARCHAR`,
  toJson: (value) => {
    if (value === null) return null;
    try {
      return parseLossless(String(value), numberOf) as JsonValue; // JSON holds nothing else
    } catch {
      return String(value); // NaN and the infinities inside lists: DuckDB writes no JSON then
    }
  },
};

/** Digits that every double can tell apart. */
const DOUBLE_DIGITS = 15;

/** The number, when a double has exactly these digits; else the digits as text. */
function numberOf(digits: string): number | string {
  const value = Number(digits);
  if (!Number.isFinite(value)) return digits;
  const significant = digits.replace(/e.*$/i, "").replace(/\D/g, "").replace(/^0+/, "").length;
  return significant <= DOUBLE_DIGITS || String(value) === digits ? value : digits;
}

/** As DuckDB writes it. */
function nameOf(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
