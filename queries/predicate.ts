/** A condition over the columns of one table: checked like a query, and kept as one expression. */
import { LogvendError } from "../protocol/errors.ts";
import type { Column } from "../protocol/wire/messages.ts";
import { uniteColumns } from "../protocol/schema/stream_shape.ts";
import { emptySelect, identifier } from "../protocol/schema/table_sql.ts";
import { bindFailure, printSql } from "./ast.ts";
import { baseTable, isColumnRef, isSelect, select, some, walk } from "./ast_nodes.ts";
import type { QueryNode, SelectNode } from "./ast_nodes.ts";
import { Engine } from "./duckdb/engine.ts";
import { admit } from "./gate.ts";
import { checkLight } from "./light.ts";
import { freezeClock, readsClock } from "./plan/freeze.ts";

/** Stands for the clock where nothing reads it. */
const NO_TIME = "1970-01-01T00:00:00.000Z";

/** A condition as somebody wrote it. */
export interface PredicateRequest {
  /** `status >= 500 AND request LIKE '/api/%'` */
  condition: string;
  table: string;
  /** Of the table. */
  columns: readonly Column[];
  /** Whether the table may get others, which are NULL so far. @default false */
  isOpen?: boolean;
  /** The instant that now() and the like stand for: ISO 8601, UTC; null: they are refused. */
  now: string | null;
  /** Whether it is asked where nothing could end it, and has to be light. @default false */
  isLight?: boolean;
}

/** A condition that may be asked. */
export interface Predicate {
  sql: string;
  /** Columns that it names and the table does not have yet. */
  unknown: Column[];
}

/**
 * The condition as SQL that can stand wherever the table's columns are known.
 * @throws {LogvendError} bad_sql, with the position in the condition's SELECT
 */
export async function admitPredicate(request: PredicateRequest): Promise<Predicate> {
  const { condition, table, columns, isOpen = false, now, isLight = false } = request;
  await using engine = await Engine.open();
  await engine.run("SET errors_as_json = true");
  const sql = `SELECT * FROM ${identifier(table)} WHERE (${condition}\n)`;
  const { node } = await admit(engine, sql, [table]);
  const unknown = isOpen ? unknownColumns(node, [table, ...columns.map(({ name }) => name)]) : [];
  const view = emptySelect([...columns, ...unknown]);
  await engine.run(`CREATE VIEW ${identifier(table)} AS ${view}`);
  if (now === null && readsClock(node)) {
    throw new LogvendError("bad_sql", "now() and the like have no place in a condition that stays");
  }
  if (isLight) checkLight(sql, node);
  const where = conditionOf(freezeClock(sql, node, now ?? NO_TIME));
  if (where === null) {
    throw new LogvendError(
      "bad_sql",
      `Wanted one condition over the columns of ${table}, without subqueries: ${condition}`,
    );
  }
  try {
    await engine.describe(sql);
  } catch (cause) {
    throw bindFailure(sql, cause);
  }
  const bare = select([{ ...where, alias: "" }], { ...baseTable(""), type: "EMPTY" });
  return { sql: (await printSql(engine, [bare]))[0]?.replace(/^SELECT /, "") ?? "", unknown };
}

/** Columns that the condition names beside those that are known. */
function unknownColumns(node: QueryNode, known: readonly string[]): Column[] {
  const lower = new Set(known.map((name) => name.toLowerCase()));
  const named = walk(node).filter(isColumnRef).map((part) => part.column_names.at(-1) ?? "");
  const unknown = [...named].filter((name) => !lower.has(name.toLowerCase()));
  return uniteColumns([unknown.map((name) => ({ name, type: "VARCHAR" }))]);
}

/** Null for SQL that goes on behind the closing parenthesis, or asks more than a condition. */
function conditionOf(node: QueryNode): SelectNode["where_clause"] {
  if (!isSelect(node) || node.modifiers.length > 0 || node.cte_map.map.length > 0) return null;
  const { where_clause: where, from_table, group_sets, having, qualify, sample } = node;
  const more = group_sets.length > 0 || [having, qualify, sample].some((part) => part !== null);
  if (where === null || more || from_table.type !== "BASE_TABLE") return null;
  return some(where, (part) => part["class"] === "SUBQUERY") ? null : where;
}
