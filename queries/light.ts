/**
 * Which conditions may be asked of rows inside the agent itself, where nothing can be killed: those
 * whose work grows with the rows' length and no faster, and that make nothing longer of them.
 */
import { sqlError } from "./ast.ts";
import { isExpression, isFunctionCall, isNode, locationOf, textOf, walk } from "./ast_nodes.ts";
import type { AstNode, FunctionCall, QueryNode } from "./ast_nodes.ts";

/** More are worth a query. */
const NODES_MAX = 200;

/** Longer patterns, or such as repeat more often, make an automaton that is slow to run. */
const PATTERN_LENGTH_MAX = 500;
const REPETITIONS_MAX = 100;

const KINDS = new Set([
  "BETWEEN",
  "CASE",
  "CAST",
  "COLUMN_REF",
  "COMPARISON",
  "CONJUNCTION",
  "CONSTANT",
  "FUNCTION",
  "OPERATOR",
  "STAR",
]);

/** Others hold numbers of any length, or lists. */
const TYPES = new Set([
  ..."BOOLEAN TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT".split(" "),
  ..."FLOAT DOUBLE DECIMAL VARCHAR DATE TIME TIMESTAMP INTERVAL".split(" "),
  "TIMESTAMP WITH TIME ZONE",
]);

const LIKES = new Set(["~~", "!~~", "~~*", "!~~*"]);
const PATTERNS = new Set(["regexp_matches", "regexp_full_match", "regexp_extract"]);

const LIGHT = new Set([
  ...LIKES,
  ...PATTERNS,
  ..."+ - * / // % -> ->> ^@".split(" "),
  ..."abs ceil floor round sign greatest least nullif isnan isfinite".split(" "),
  ..."length strlen octet_length lower upper lcase ucase trim ltrim rtrim".split(" "),
  ..."contains starts_with ends_with prefix suffix instr strpos position".split(" "),
  ..."substring substr left right split_part ascii".split(" "),
  ..."json_extract json_extract_string json_valid json_type json_exists".split(" "),
  ..."date_part datepart date_trunc datetrunc year month day hour minute second".split(" "),
  ..."dayofweek isodow week epoch epoch_ms epoch_us".split(" "),
  ..."to_seconds to_minutes to_hours to_days".split(" "),
]);

/** @throws {LogvendError} bad_sql, for a condition that could keep a host busy */
export function checkLight(sql: string, node: QueryNode): void {
  let count = 0;
  for (const part of walk(node)) {
    if (!isExpression(part)) continue;
    if (++count > NODES_MAX) refuse(sql, part, `has more than ${NODES_MAX} parts`);
    if (!KINDS.has(part.class)) refuse(sql, part, `may not have ${part.class}`);
    if (part.class === "CAST") checkCast(sql, part);
    if (isFunctionCall(part)) checkCall(sql, part);
  }
}

function checkCast(sql: string, part: AstNode) {
  const { cast_type: type } = part;
  const id = isNode(type) ? String(type["id"]) : "";
  if (!TYPES.has(id)) refuse(sql, part, `casts to plain types only, not to ${id}`);
}

function checkCall(sql: string, part: FunctionCall) {
  const name = part.function_name.toLowerCase();
  if (!LIGHT.has(name)) refuse(sql, part, `may not call ${name}()`);
  if (!LIKES.has(name) && !PATTERNS.has(name)) return;
  const pattern = textOf(part.children[1]);
  if (pattern === null) refuse(sql, part, "needs its pattern as a text");
  if (LIKES.has(name)) checkLike(sql, part, { name, pattern });
  else checkPattern(sql, part, pattern);
}

/** DuckDB goes through `%a_%b` by trying: each further `%` takes as many times as a row is long. */
function checkLike(
  sql: string,
  part: FunctionCall,
  { name, pattern }: { name: string; pattern: string },
) {
  const isSimple = !name.endsWith("*") && !pattern.includes("_");
  if (isSimple || !pattern.replace(/^%/, "").replace(/%$/, "").includes("%")) return;
  refuse(sql, part, "may have _ or ILIKE with % at the pattern's ends only");
}

function checkPattern(sql: string, part: FunctionCall, pattern: string) {
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)]
    .map(([, least, most]) => Math.max(Number(least), Number(most ?? 0)));
  const isShort = pattern.length <= PATTERN_LENGTH_MAX;
  if (isShort && Math.max(0, ...repeats) <= REPETITIONS_MAX) return;
  refuse(sql, part, `needs a shorter pattern, that repeats at most ${REPETITIONS_MAX} times`);
}

function refuse(sql: string, part: AstNode, why: string): never {
  throw sqlError(sql, `The condition of a tail ${why}: a query may`, locationOf(part));
}
