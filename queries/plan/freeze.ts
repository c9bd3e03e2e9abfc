/** Replaces now(), current_date and the like by one literal, the same on every host. */
import { timestamp } from "../../protocol/schema/table_sql.ts";
import { sqlError } from "../ast.ts";
import { cast, constant, isColumnRef, isFunctionCall, locationOf } from "../ast_nodes.ts";
import { named, rewrite, some, walk } from "../ast_nodes.ts";
import type { AstNode, Expression, QueryNode } from "../ast_nodes.ts";

type ClockType = "TIMESTAMP WITH TIME ZONE" | "TIMESTAMP" | "DATE" | "TIME WITH TIME ZONE" | "TIME";

const FUNCTIONS: Readonly<Record<string, ClockType>> = {
  now: "TIMESTAMP WITH TIME ZONE",
  transaction_timestamp: "TIMESTAMP WITH TIME ZONE",
  get_current_timestamp: "TIMESTAMP WITH TIME ZONE",
  get_current_time: "TIME WITH TIME ZONE",
  current_localtimestamp: "TIMESTAMP",
  current_localtime: "TIME",
  current_date: "DATE",
  today: "DATE",
};

/** SQL's words without parentheses: in the tree they look like columns. */
const WORDS: Readonly<Record<string, ClockType>> = {
  current_timestamp: "TIMESTAMP WITH TIME ZONE",
  current_time: "TIME WITH TIME ZONE",
  localtimestamp: "TIMESTAMP",
  localtime: "TIME",
  current_date: "DATE",
};

/** Says whether a query's meaning hangs on when it is asked. */
export function readsClock(node: AstNode): boolean {
  return some(
    node,
    (part) =>
      isFunctionCall(part)
        ? Object.hasOwn(FUNCTIONS, part.function_name.toLowerCase())
        : isColumnRef(part) && part.column_names.length === 1 &&
          Object.hasOwn(WORDS, String(part.column_names[0]).toLowerCase()),
  );
}

/**
 * The tree with every reading of the clock replaced by `now` (ISO 8601, UTC). Names that the SQL gives
 * are those of `written`.
 * @throws {LogvendError} bad_sql, where a name stands for the clock or for a column, who knows
 */
export function freezeClock(
  sql: string,
  node: QueryNode,
  now: string,
  written: QueryNode = node,
): QueryNode {
  const names = new Set(walk(written).flatMap(aliasesOf).map((name) => name.toLowerCase()));
  return rewrite(node, (part) => {
    if (isFunctionCall(part)) {
      const name = part.function_name.toLowerCase();
      if (name === "age" && part.children.length === 1) {
        throw sqlError(
          sql,
          "age() with one argument reads the clock: write age(now()::TIMESTAMP, …)",
          locationOf(part),
        );
      }
      const type = FUNCTIONS[name];
      return type === undefined ? undefined : named(literalOf(now, type), part.alias);
    }
    if (!isColumnRef(part) || part.column_names.length !== 1) return undefined;
    const word = String(part.column_names[0]).toLowerCase();
    const type = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    if (type === undefined) return undefined;
    if (names.has(word)) {
      throw sqlError(sql, `${word} is also a name in this SQL: rename it`, locationOf(part));
    }
    return named(literalOf(now, type), part.alias);
  });
}

function aliasesOf(node: AstNode): string[] {
  const columns = node["column_name_alias"] ?? node["aliases"];
  return [node["alias"], ...(Array.isArray(columns) ? columns : [])]
    .filter((name) => typeof name === "string");
}

function literalOf(now: string, type: ClockType): Expression {
  const text = timestamp(now);
  switch (type) {
    case "TIMESTAMP":
      return cast(constant(text), type);
    case "TIMESTAMP WITH TIME ZONE":
      return cast(constant(`${text}+00`), type);
    case "DATE":
      return cast(constant(text.slice(0, 10)), type);
    case "TIME":
      return cast(constant(text.slice(11)), type);
    case "TIME WITH TIME ZONE":
      return cast(constant(`${text.slice(11)}+00`), type);
  }
}
