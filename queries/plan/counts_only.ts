/** Queries that ask how many rows there are and when: what footers of files say suffices for them. */
import { constant, isColumnRef, isFunctionCall, rewrite, some } from "../ast_nodes.ts";
import type { AstNode, QueryNode } from "../ast_nodes.ts";
import { isAggregate, isClass, isObstacle, singleTable } from "./shape.ts";

/** Whether it reads nothing of its table but the number of rows, and the first and last `ts`. */
export function countsOnly(node: QueryNode): boolean {
  const single = singleTable(node);
  if (isObstacle(single)) return false;
  const { select, qualifier } = single;
  const isPlain = select.where_clause === null && select.group_expressions.length === 0 &&
    select.having === null && select.qualify === null && select.modifiers.length === 0;
  return isPlain && select.select_list.every((expression) => {
    const rest = rewrite(expression, (part) => isCount(part, qualifier) ? constant(1) : undefined);
    return !some(rest, (part) => isColumnRef(part) || isAggregate(part) || isOther(part));
  });
}

const isOther = isClass("STAR", "SUBQUERY", "WINDOW", "POSITIONAL_REFERENCE");

/** count(*), count(ts), min(ts), max(ts). */
function isCount(part: AstNode, qualifier: string): boolean {
  if (!isFunctionCall(part) || part.distinct || part.filter !== null) return false;
  const { function_name: name, children } = part;
  const [tested, ...more] = children;
  if (name === "count_star") return tested === undefined;
  return ["count", "min", "max"].includes(name) && more.length === 0 && tested !== undefined &&
    isColumnRef(tested) &&
    ["ts", `${qualifier}.ts`].includes(tested.column_names.join(".").toLowerCase());
}
