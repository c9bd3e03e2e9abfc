/** Rows of a table as JSON values: no digit is lost, no value is invented. */
import type { Column } from "../../protocol/wire/messages.ts";
import { isNested } from "../transfer/carriers.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
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

/** Rows in an engine: a table of it, or a SELECT that gives few. */
export interface FinishedTable {
  /** What stands behind FROM: the table's name as SQL writes it, or the SELECT in parentheses. */
  from: string;
  /** As DESCRIBE gives them. */
  columns: readonly Column[];
  /** Its first PAGE_ROWS rows, where they have been read. */
  firstPage?: FirstPage;
}

/** What DuckDB gave, read as `jsonList` says. */
export interface FirstPage {
  rows: Page;
  /** Whether there are no others. */
  isLast: boolean;
}

/** Rows of values. */
export type Page = unknown[][];

/** Rows read at once: memory is bounded, however long the table. */
export const PAGE_ROWS = 2_048;

/** How one type is read: the SQL that reads it, and what becomes of the value read. */
interface Reading {
  sql: (column: string) => string;
  toJson: (value: unknown) => JsonValue;
}

/** What a SELECT gives: its name as a table, should it become one, and its columns. */
export interface AnswerSelect {
  select: string;
  table: string;
  columns: readonly Column[];
}

/**
 * Reads what a SELECT gives, if that is one page, and makes no table of it: that would take a
 * millisecond. For SELECTs that are cheap enough to run again, should there be more rows.
 */
export async function readShort(engine: Engine, answer: AnswerSelect): Promise<FinishedTable> {
  const { select, columns } = answer;
  const from = `(${select})`;
  const { rows } = await engine.read(
    `SELECT ${jsonList(columns)} FROM ${from} LIMIT ${PAGE_ROWS + 1}`,
  );
  if (rows.length > PAGE_ROWS) return await createAndRead(engine, answer);
  return { from, columns, firstPage: { rows, isLast: true } };
}

/** Makes the table of what a SELECT gives and reads its first page, in one round trip. */
export async function createAndRead(engine: Engine, answer: AnswerSelect): Promise<FinishedTable> {
  const { select, columns } = answer;
  const from = identifier(answer.table);
  const { rows } = await engine.read(
    `CREATE TABLE ${from} AS ${select};
      SELECT ${jsonList(columns)} FROM ${from} LIMIT ${PAGE_ROWS}`,
  );
  return { from, columns, firstPage: { rows, isLast: rows.length < PAGE_ROWS } };
}

/**
 * What `SELECT list FROM table` gives, in pages and in the table's order; at least one page.
 * @param firstPage of that very list
 */
export async function* pagesOf(
  engine: Engine,
  { from }: FinishedTable,
  list: string,
  firstPage?: FirstPage,
): AsyncGenerator<Page> {
  if (firstPage !== undefined) yield firstPage.rows;
  if (firstPage?.isLast) return;
  const offset = firstPage === undefined ? "" : ` OFFSET ${firstPage.rows.length}`;
  let isEmpty = firstPage === undefined;
  for await (const rows of engine.stream(`SELECT ${list} FROM ${from}${offset}`, PAGE_ROWS)) {
    isEmpty = false;
    yield rows;
  }
  if (isEmpty) yield [];
}

/** What to select for JSON. */
export function jsonList(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => readingOf(type).sql(identifier(name))).join(", ");
}

/** Pages of `jsonList` as JSON values. */
export async function* jsonPages(
  columns: readonly Column[],
  pages: AsyncIterable<Page>,
): AsyncGenerator<JsonRow[]> {
  const readings = columns.map(({ type }) => readingOf(type));
  for await (const rows of pages) {
    yield rows.map((row) =>
      Object.fromEntries(
        columns.map(({ name }, i) => [name, readings[i]?.toJson(row[i]) ?? null]),
      )
    );
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
    if (typeof value === "bigint") return isSafe(value) ? Number(value) : String(value);
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

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value)); // rounding makes none safe that is not
}

/** As DuckDB writes it. */
function nameOf(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
