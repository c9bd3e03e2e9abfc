/**
 * Which SELECTs every host can run over its own rows, so that what they give together is what they
 * would give over all rows: nothing in them looks at the rows of two hosts at once.
 */
import { isBaseTable, isColumnRef, isFunctionCall, isNode, isSelect } from "../ast_nodes.ts";
import { rewrite, some, subqueryTable, walk } from "../ast_nodes.ts";
import type { AstNode, Expression, QueryNode, SelectNode } from "../ast_nodes.ts";
import { ROW_MAKERS } from "../gate_functions.ts";
import { aggregates } from "./aggregate.ts";
import { distributes, sourcesOf } from "./joined.ts";
import type { JoinTables } from "./joined.ts";
import { hasCollation, isClass, isVolatile } from "./shape.ts";

/** Whether it is such a SELECT: over a table, a join with the asker's tables, or another such one. */
export function isLocal(node: QueryNode, tables: JoinTables): node is SelectNode {
  if (!isSelect(node) || node.cte_map.map.length > 0 || node.sample !== null) return false;
  const own = withoutFrom(node);
  if (aggregates({ select: own })) return false;
  if (node.modifiers.some(({ type }) => type === "DISTINCT_MODIFIER")) return false;
  const looksAround = (part: AstNode) =>
    isClass("SUBQUERY")(part) || isVolatile(part) ||
    (isFunctionCall(part) && ROW_MAKERS.has(part.function_name.toLowerCase()));
  if (some(own, looksAround)) return false;
  const inner = innerOf(node);
  if (inner !== null) {
    return !hasWindow(own) && inner.modifiers.length === 0 && isLocal(inner, tables);
  }
  const names = hostNames(node, tables);
  return names !== null &&
    walk(own).filter(isClass("WINDOW")).every((window) =>
      (window["partitions"] as Expression[]).some((by) => isOneOf(by, names))
    );
}

/** Whether a window is in it, or in what it reads. */
export function hasWindow(node: AstNode): boolean {
  return some(node, isClass("WINDOW"));
}

/** Whether it gives or sorts by texts with COLLATE, which is lost where they are carried. */
export function carriesCollation(node: SelectNode): boolean {
  return walk(node).filter(isSelect).some(({ select_list: list, modifiers }) =>
    some([list, modifiers], hasCollation)
  );
}

/** The SELECT in parentheses that a FROM is nothing but. */
export function innerOf({ from_table: from }: SelectNode): SelectNode | null {
  const subquery = from.type === "SUBQUERY" ? from["subquery"] : null;
  if (!isNode(subquery ?? undefined) || from.sample !== null) return null;
  const aliases = from["column_name_alias"];
  if (Array.isArray(aliases) && aliases.length > 0) return null;
  const { node } = subquery as { node: QueryNode };
  return isSelect(node) ? node : null;
}

/** Whether the column `host` that it gives, if any, is that of the rows. */
export function keepsHost(node: SelectNode, names: readonly string[], tables: JoinTables): boolean {
  if (names.filter((name) => name === "host").length !== 1) return !names.includes("host");
  const known = hostNames(node, tables);
  if (known === null) return false; // what it reads is made up itself
  return node.select_list.some((item) => {
    const isItself = item.alias === "" || item.alias.toLowerCase() === "host";
    return isClass("STAR")(item) || (isItself && isOneOf(item, known));
  }) && node.select_list.every((item) =>
    item.alias.toLowerCase() !== "host" || isOneOf(item, known)
  );
}

/**
 * The same query with parts of WITH that are used once, and are such SELECTs over windows or joins,
 * where they are used: what is asked of their rows is then asked on the hosts.
 */
export function withLocalsInline(node: QueryNode, tables: JoinTables): QueryNode {
  const used = walk(node).filter(isBaseTable).map((table) => table.table_name.toLowerCase())
    .toArray();
  const inline = new Map<string, SelectNode>();
  for (const { key, value } of node.cte_map.map) {
    const name = key.toLowerCase();
    const body = (value["query"] as AstNode)["node"] as QueryNode; // of every part of WITH
    const { aliases } = value;
    const isPlain = Array.isArray(aliases) && aliases.length === 0 && tables.fleet(name) === null &&
      used.filter((other) => other === name).length === 1;
    const isWorth = isLocal(body, tables) && (hasWindow(body) || body.from_table.type === "JOIN");
    if (isPlain && isWorth && body.modifiers.length === 0) inline.set(name, body);
  }
  if (inline.size === 0) return node;
  const map = node.cte_map.map.filter(({ key }) => !inline.has(key.toLowerCase()));
  return rewrite({ ...node, cte_map: { map } }, (part) => {
    if (!isBaseTable(part) || part.sample !== null || part.column_name_alias.length > 0) {
      return undefined;
    }
    const body = inline.get(part.table_name.toLowerCase());
    return body === undefined ? undefined : subqueryTable(body, part.alias || part.table_name);
  });
}

/** Names of the column `host` of the fleet's table in FROM; null: there is no such table, or more. */
function hostNames({ from_table: from }: SelectNode, tables: JoinTables): string[][] | null {
  const sources = sourcesOf(from, tables);
  if (sources === null || !distributes(from, tables)) return null;
  const having = sources.filter(({ columns }) => columns.includes("host"));
  const fleet = sources.find(({ isFleet }) => isFleet);
  const qualified = [fleet?.qualifier ?? "", "host"];
  return having.length === 1 ? [["host"], qualified] : [qualified];
}

function isOneOf(expression: AstNode, names: readonly string[][]): boolean {
  if (!isColumnRef(expression)) return false;
  const own = expression.column_names.map((name) => name.toLowerCase());
  return names.some((name) => name.join("\n") === own.join("\n"));
}

function withoutFrom(node: SelectNode): SelectNode {
  return { ...node, from_table: { ...node.from_table, ...EMPTY } };
}

const EMPTY = { type: "EMPTY", subquery: null, left: null, right: null, condition: null };
