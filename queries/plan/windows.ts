/**
 * Windows that are partitioned by host look at one host's rows only: each host runs the SELECT over its
 * own, and the merge puts the rows together.
 */
import { columnRef, integerOf, isColumnRef, named, select, walk } from "../ast_nodes.ts";
import { baseTable, constant, subqueryTable } from "../ast_nodes.ts";
import type { AstNode, Expression, OrderModifier, SelectNode } from "../ast_nodes.ts";
import { bareName, isClass } from "./shape.ts";
import type { SingleTable } from "./shape.ts";
import { PARTIAL_TABLE } from "./shipped.ts";
import { rowsWanted } from "./top_k.ts";

export interface WindowSplit {
  partial: SelectNode;
  merge: SelectNode;
}

/** `names` are those of the answer's columns. Null: a window or the order needs other rows as well. */
export function splitWindows(single: SingleTable, names: readonly string[]): WindowSplit | null {
  const { select: whole } = single;
  const windows = walk(whole).filter(isClass("WINDOW")).toArray();
  if (windows.length === 0 || !windows.every((window) => isOfOneHost(window, single))) return null;
  if (whole.modifiers.some(({ type }) => type === "DISTINCT_MODIFIER")) return null;
  const carried = names.map((_, i) => `__c${i}`);
  const modifiers = whole.modifiers.map((modifier) => orderedBy(modifier, names));
  if (!modifiers.every((modifier) => modifier !== null)) return null;
  const rows = { ...subqueryTable(firstRows(whole), "own_rows"), column_name_alias: carried };
  const merge = select(
    carried.map((name, i) => named(columnRef(name), names[i] ?? name)),
    baseTable(PARTIAL_TABLE),
  );
  return {
    partial: select(carried.map((name) => columnRef(name)), rows),
    merge: { ...merge, modifiers },
  };
}

function isOfOneHost(window: AstNode, { qualifier }: SingleTable): boolean {
  const partitions = window["partitions"];
  return Array.isArray(partitions) && (partitions as Expression[]).some((by) => {
    if (!isColumnRef(by)) return false;
    const [first, second] = by.column_names.map((name) => name.toLowerCase());
    return second === undefined ? first === "host" : first === qualifier && second === "host";
  });
}

/** The query as it was asked, but for rows that cannot be among the first of all. */
function firstRows(whole: SelectNode): SelectNode {
  const count = rowsWanted(whole);
  if (count === null) {
    return { ...whole, modifiers: [] };
  }
  const modifiers = whole.modifiers.map((modifier) =>
    modifier["type"] === "LIMIT_MODIFIER"
      ? { ...modifier, limit: constant(count), offset: null }
      : modifier
  );
  return { ...whole, modifiers };
}

/** ORDER BY over the columns as they are carried; null where it names what is not among them. */
function orderedBy(modifier: AstNode, names: readonly string[]): AstNode | null {
  if (modifier["type"] !== "ORDER_MODIFIER") return modifier;
  const lower = names.map((name) => name.toLowerCase());
  const orders = (modifier as OrderModifier).orders.map((order) => {
    if (isClass("STAR")(order.expression)) return order;
    const position = integerOf(order.expression);
    const i = position === null ? lower.indexOf(bareName(order.expression) ?? "") : position - 1;
    const isClear = i >= 0 && i < names.length && lower.indexOf(lower[i] ?? "", i + 1) < 0;
    return isClear ? { ...order, expression: columnRef(`__c${i}`) } : null;
  });
  return orders.every((order) => order !== null) ? { ...modifier, orders } : null;
}
