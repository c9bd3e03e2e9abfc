/** Keeps the names of columns that DuckDB makes of expressions which are printed differently later. */
import { columnNames } from "../ast.ts";
import { isExpression, isNode, isSelect, named, rewrite, some, walk } from "../ast_nodes.ts";
import type { AstNode, Expression, QueryNode } from "../ast_nodes.ts";
import type { Engine } from "../duckdb/engine.ts";
import { readsClock } from "./freeze.ts";

/**
 * The tree whose subqueries name such columns: `*`, UNPIVOT and rows as values show their names. Those
 * of the query itself are made the answer's anyway.
 */
export async function withColumnNames(engine: Engine, node: QueryNode): Promise<QueryNode> {
  const items = walk(node).filter(isSelect).filter((part) => part !== node)
    .flatMap(({ select_list: list }) => list)
    .filter((item) => item.alias === "" && isPrintedOtherwise(item)).toArray();
  if (items.length === 0) return node;
  const texts = await columnNames(engine, items);
  const names = new Map<AstNode, string>(items.map((item, i) => [item, texts[i] ?? ""]));
  return rewrite(node, (part) => {
    const name = names.get(part);
    return name === undefined || !isExpression(part) ? undefined : named(part, name);
  });
}

/** A DOUBLE is printed as a cast, a reading of the clock as the time. */
function isPrintedOtherwise(item: Expression): boolean {
  return readsClock(item) || some(item, isDouble);
}

function isDouble(part: AstNode): boolean {
  if (part["class"] !== "CONSTANT" || !isNode(part["value"])) return false;
  const { type } = part["value"];
  return isNode(type) && type["id"] === "DOUBLE";
}
