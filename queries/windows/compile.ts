/** Lists over the rows of one window as SQL: the rows are read once, whatever is counted of them. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { widest } from "../../protocol/schema/stream_shape.ts";
import { ACCESS, shownColumns } from "../../protocol/schema/streams.ts";
import { emptySelect, identifier, literal, timestamp } from "../../protocol/schema/table_sql.ts";
import { bindFailure, printSql } from "../ast.ts";
import type { Engine } from "../duckdb/engine.ts";
import { admit } from "../gate.ts";
import { readsClock } from "../plan/freeze.ts";
import { neededColumns } from "../plan/rows.ts";
import { stringsOf } from "../plan/shape.ts";
import type { WindowList } from "./header.ts";
import { jsonObject } from "./json_fields.ts";

/** The view with the rows of several windows: SQL that has passed the gate cannot name it. */
export const WINDOW_ROWS = "rows of windows";

/** A list as SQL that may run, and what of the table it reads. */
export interface CompiledList {
  group: string;
  stream: string;
  /** Gives list, value, count and more, a row an event. */
  select(index: number): string;
  columns: readonly Column[];
}

/** A column of lists that is none of `value` and `count` is a field of its own. */
const GIVEN = ["value", "count"];

/**
 * A list over a table with these columns; null: the table has not what the list is about.
 * The engine shows errors as JSON.
 * @throws {LogvendError} bad_sql, for SQL of users that may not run or gives something else
 */
export async function compileList(
  engine: Engine,
  list: WindowList,
  columns: readonly Column[],
): Promise<CompiledList | null> {
  const { needs, group, stream } = list;
  if (needs !== null && !needs.every((name) => hasColumn(columns, name))) return null;
  const { printed: sql, given, node, shown } = await bound(engine, {
    sql: list.sql,
    stream,
    columns,
  });
  if (!given.some(({ name }) => name === "count")) {
    throw new LogvendError("bad_sql", "A window's SELECT gives a column count, and mostly value");
  }
  const used = new Set(
    needs ?? neededColumns(node, shown.map(({ name }) => name.toLowerCase())),
  );
  return {
    group,
    stream,
    select: (index) => listSelect(list, { sql, given, index }),
    columns: shown.filter(({ name }) => used.has(name.toLowerCase())),
  };
}

interface Unbound {
  sql: string;
  stream: string;
  columns: readonly Column[];
}

/** SQL through the gate, what it sees of the table, and what it gives. @throws {LogvendError} bad_sql */
async function bound(engine: Engine, { sql, stream, columns }: Unbound) {
  const { node } = await admit(engine, sql, [stream]);
  if (readsClock(node)) {
    throw new LogvendError(
      "bad_sql",
      "now() and the like have no place in a window: it must come out the same when it is late",
    );
  }
  const shown = shownColumns(columns, stringsOf(node));
  await engine.run(`CREATE OR REPLACE VIEW ${identifier(stream)} AS ${emptySelect(shown)}`);
  try {
    const given = await engine.describe(sql);
    const [printed = ""] = await printSql(engine, [node]);
    return { node, given, printed, shown };
  } catch (cause) {
    throw bindFailure(sql, cause);
  }
}

/** Numbers may have another width than access logs have them in; a text is no number. */
function hasColumn(columns: readonly Column[], name: string): boolean {
  const own = columns.find((column) => column.name.toLowerCase() === name);
  const known = ACCESS.logical.find((column) => column.name === name);
  if (own === undefined) return false;
  return known === undefined || known.type === own.type ||
    widest(known.type, own.type) !== "VARCHAR";
}

interface ListParts {
  sql: string;
  given: readonly Column[];
  index: number;
}

function listSelect({ top, least }: WindowList, { sql, given, index }: ListParts): string {
  const hasValue = given.some(({ name }) => name === "value");
  const more = given.filter(({ name }) => !GIVEN.includes(name));
  const fields = more.length === 0 ? "NULL" : jsonObject(more);
  const value = hasValue ? "value::VARCHAR" : "NULL";
  return `(SELECT ${index} AS list, ${value} AS value, count::BIGINT AS count,
      ${fields}::VARCHAR AS more
    FROM (${sql}) WHERE count >= ${least} ORDER BY count DESC, value LIMIT ${top})`;
}

/** One window: half-open, ISO 8601, UTC. */
export interface Span {
  start: string;
  end: string;
}

/** The SELECT of lists over one window of WINDOW_ROWS: list (its index), value, count, more. */
export function windowSelect(lists: readonly CompiledList[], span: Span): string {
  const [first] = lists;
  if (first === undefined) throw new Error("No list");
  const names = columnsOfLists(lists).map(({ name }) => identifier(name)).join(", ");
  return `WITH ${identifier(first.stream)} AS MATERIALIZED (SELECT ${names} FROM ${rowsOf(span)})
    ${lists.map((list, i) => list.select(i)).join(" UNION ALL ")}`;
}

function rowsOf({ start, end }: Span): string {
  return `${identifier(WINDOW_ROWS)} WHERE ts >= ${literal(timestamp(start))}::TIMESTAMP
    AND ts < ${literal(timestamp(end))}::TIMESTAMP`;
}

/** What lists over one table read of it, its time included. */
export function columnsOfLists(lists: readonly CompiledList[]): Column[] {
  return withTime(lists.flatMap((list) => list.columns));
}

function withTime(columns: readonly Column[]): Column[] {
  const all = [{ name: "ts", type: "TIMESTAMP" }, ...columns];
  return [...new Map(all.map((column) => [column.name, column])).values()];
}

/** Rows of a window as a sink wants them, as SQL that may run. */
export interface CompiledRows {
  columns: readonly Column[];
  /** Gives one column of JSON texts, one row more than `rowsMax` at most. */
  select(span: Span, rowsMax: number): string;
}

/**
 * A SELECT over one stream of which rows are sent as they are.
 * @throws {LogvendError} bad_sql
 */
export async function compileRows(
  engine: Engine,
  sql: string,
  { stream, columns }: { stream: string; columns: readonly Column[] },
): Promise<CompiledRows> {
  const { printed, given, node, shown } = await bound(engine, { sql, stream, columns });
  const used = new Set(neededColumns(node, shown.map(({ name }) => name.toLowerCase())));
  const kept = shown.filter(({ name }) => used.has(name.toLowerCase()));
  const names = [...new Set(["ts", ...kept.map(({ name }) => name)])].map(identifier).join(", ");
  return {
    columns: withTime(kept),
    select: (span, rowsMax) =>
      `WITH ${identifier(stream)} AS (SELECT ${names} FROM ${rowsOf(span)})
       SELECT ${jsonObject(given)}::VARCHAR AS row FROM (${printed})
       ORDER BY row LIMIT ${rowsMax + 1}`,
  };
}
