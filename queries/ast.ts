/** SQL to DuckDB's own AST, losslessly, and back: the text that comes back is what is executed. */
import { LogvendError, messageOf } from "../protocol/errors.ts";
import type { Engine } from "./duckdb/engine.ts";
import { baseTable, cast, constant, find, isColumnRef, isNode, locationOf } from "./ast_nodes.ts";
import { rewrite, select } from "./ast_nodes.ts";
import type { AstNode, AstValue, Expression, QueryNode } from "./ast_nodes.ts";
import { parseLossless, rawNumber } from "./lossless_json.ts";

/**
 * Parses exactly one SELECT (or VALUES, FROM, WITH …).
 * @throws {LogvendError} bad_sql, with DuckDB's message, "line:column" and the line itself
 */
export async function parseSelect(engine: Engine, sql: string): Promise<QueryNode> {
  const { rows } = await engine.compute("SELECT json_serialize_sql($sql::VARCHAR)::VARCHAR", {
    sql,
  });
  const parsed = parseLossless(String(rows[0]?.[0]), rawNumber) as AstValue; // all JSON is
  if (!isNode(parsed)) throw new LogvendError("internal", "DuckDB gave no syntax tree");
  if (parsed["error"] === true) throw parseFailure(sql, parsed);
  const statements = parsed["statements"];
  const [first, second] = Array.isArray(statements) ? statements : [];
  if (!isNode(first)) throw sqlError(sql, "There is no SQL: write one SELECT statement", null);
  if (second !== undefined) {
    const place = offsetOf(sql, /(?<=\S\s*;[\s;]*)[^\s;]/);
    throw sqlError(sql, "Exactly one SELECT statement is allowed: ask one after the other", place);
  }
  return first["node"] as QueryNode; // DuckDB's serializer makes it
}

/** The SQL text of trees, in order: one round trip for all. */
export async function printSql(engine: Engine, nodes: readonly QueryNode[]): Promise<string[]> {
  return await textsOf(engine, nodes.map((node) => rewrite(node, exactDouble)));
}

/** What DuckDB calls columns that are given as these expressions, without an alias. */
export async function columnNames(
  engine: Engine,
  expressions: readonly Expression[],
): Promise<string[]> {
  const texts = await textsOf(
    engine,
    expressions.map((one) => select([one], { ...baseTable(""), type: "EMPTY" })),
  );
  return texts.map((text) => text.replace(/^SELECT /, ""));
}

async function textsOf(engine: Engine, nodes: readonly QueryNode[]): Promise<string[]> {
  if (nodes.length === 0) return [];
  const calls = nodes.map((_, i) => `json_deserialize_sql($tree${i}::JSON)`);
  const values = nodes.map((node, i) => [`tree${i}`, serialized(node)]);
  const { rows } = await engine.compute(`SELECT ${calls.join(", ")}`, Object.fromEntries(values));
  return (rows[0] ?? []).map(String);
}

function serialized(node: QueryNode): string {
  return JSON.stringify({
    error: false,
    statements: [{ node, named_param_map: [] }],
  });
}

/** A DOUBLE literal would be printed as a DECIMAL; a cast of its digits stays a DOUBLE. */
function exactDouble(node: AstNode): AstNode | undefined {
  if (node["class"] !== "CONSTANT" || !isNode(node["value"])) return undefined;
  const { type, value, is_null: isNull } = node["value"];
  if (!isNode(type) || type["id"] !== "DOUBLE" || isNull === true) return undefined;
  const text = cast(constant(JSON.stringify(value)), "DOUBLE");
  return { ...text, alias: node["alias"] ?? "" };
}

function parseFailure(sql: string, failure: AstNode): LogvendError {
  const message = String(failure["error_message"]);
  if (failure["error_type"] === "not implemented") {
    const isPivot = offsetOf(sql, /\bPIVOT\b/i) !== null;
    const isExplain = offsetOf(sql, /^\s*EXPLAIN\b/i) !== null;
    const rule = isPivot
      ? "PIVOT must name its values: PIVOT logs ON status IN (200, 404) USING count(*)"
      : isExplain
      ? "EXPLAIN is no part of a question: leave it out and ask with --explain"
      : "Only SELECT is allowed: write one SELECT statement";
    return sqlError(sql, rule, offsetOf(sql, isPivot ? /\bPIVOT\b/i : /[^\s;]/));
  }
  const position = failure["position"];
  const place = typeof position === "string" ? Number(position) : offsetOf(sql, /\S/);
  return sqlError(sql, message, place);
}

/** What DuckDB threw while binding `prefix + sql`, as bad_sql. It needs `errors_as_json = true`. */
export function bindFailure(sql: string, thrown: unknown, prefix = ""): LogvendError {
  const { message, position } = faultOf(thrown);
  const offset = Number(position ?? NaN) - prefix.length;
  return sqlError(sql, message, offset >= 0 ? offset : null);
}

/** The same for text that was made of the tree `node` of `sql`: it shows the name that is at fault. */
export function bindFailureIn(sql: string, node: AstNode, thrown: unknown): LogvendError {
  const { message, name } = faultOf(thrown);
  const culprit = find(node, (part) => isColumnRef(part) && part.column_names.at(-1) === name);
  return sqlError(sql, message, culprit === undefined ? null : locationOf(culprit));
}

interface Fault {
  message: string;
  position?: string;
  /** What could not be found. */
  name?: string;
}

function faultOf(thrown: unknown): Fault {
  const text = messageOf(thrown);
  try {
    const { exception_message: message = text, ...fault } = JSON.parse(text);
    return { ...fault, message };
  } catch {
    return { message: text };
  }
}

/** A bad_sql error that points into the SQL. `location` is a byte offset of its UTF-8. */
export function sqlError(sql: string, message: string, location: number | null): LogvendError {
  if (location === null) return new LogvendError("bad_sql", message);
  const { line, column, characters } = placeOf(sql, location);
  const start = Math.max(0, column - QUOTE_CHARACTERS_MAX / 2);
  const quote = characters.slice(start, start + QUOTE_CHARACTERS_MAX).join("");
  const caret = `${" ".repeat(column - 1 - start)}^`;
  return new LogvendError("bad_sql", `${message}\n  at ${line}:${column}\n  ${quote}\n  ${caret}`);
}

/**
 * Where something stands in SQL first, outside of quotes and comments, as a byte offset of its UTF-8;
 * null when it does not. For what the tree does not say the place of.
 */
export function offsetOf(sql: string, pattern: RegExp): number | null {
  const blank = (text: string) => " ".repeat(text.length);
  const bare = sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g, blank);
  const at = bare.search(pattern);
  return at < 0 ? null : new TextEncoder().encode(sql.slice(0, at)).length;
}

/** "line:column" of a byte offset of the SQL's UTF-8, both from 1; null without an offset. */
export function positionText(sql: string, location: number | null): string | null {
  if (location === null) return null;
  const { line, column } = placeOf(sql, location);
  return `${line}:${column}`;
}

/** Longest part of a line that an error quotes: generated SQL may be one endless line. */
const QUOTE_CHARACTERS_MAX = 120;

function placeOf(sql: string, location: number) {
  const before = new TextDecoder().decode(new TextEncoder().encode(sql).subarray(0, location));
  const linesBefore = before.split("\n");
  return {
    line: linesBefore.length,
    column: [...linesBefore.at(-1) ?? ""].length + 1,
    characters: [...sql.split("\n")[linesBefore.length - 1] ?? ""],
  };
}
