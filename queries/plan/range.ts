/** Which time a query reads: what was asked, unless the SQL itself bounds the time. */
import type { Range } from "../../protocol/signing/claims.ts";
import { isColumnRef, isExpression, isFunctionCall, isNode, isSelect, walk } from "../ast_nodes.ts";
import type { AstNode, AstValue, QueryNode, SelectNode } from "../ast_nodes.ts";
import { baseTablesOf, conjunctsOf } from "./shape.ts";

export interface Bounds {
  since: string | null;
  until: string | null;
}

/** The range that is read; an implied beginning is dropped where the SQL bounds the time itself. */
export function boundsOf({ since, until, implied }: Range, sqlBoundsTime: boolean): Bounds {
  return implied && sqlBoundsTime ? { since: null, until } : { since, until };
}

/** Says whether every SELECT that reads a table bounds ts or time_local. */
export function boundsTime(node: QueryNode): boolean {
  const readers = walk(node).filter(isSelect)
    .filter((select) => baseTablesOf(select.from_table).length > 0).toArray();
  return readers.length > 0 && readers.every(selectBoundsTime);
}

const COMPARISONS = new Set([
  "COMPARE_EQUAL",
  "COMPARE_GREATERTHAN",
  "COMPARE_GREATERTHANOREQUALTO",
  "COMPARE_LESSTHAN",
  "COMPARE_LESSTHANOREQUALTO",
  "COMPARE_BETWEEN",
  "COMPARE_IN",
]);

function selectBoundsTime(select: SelectNode): boolean {
  return conjunctsOf(select.where_clause).some((conjunct) => {
    if (!COMPARISONS.has(conjunct.type)) return false;
    const { left, right, input, children } = conjunct;
    const first = Array.isArray(children) ? children[0] : undefined;
    return [left, right, input, first].some((side) => side !== undefined && isTime(side));
  });
}

/** A time column, bare or rounded: ts, ts::DATE, date_trunc('day', ts), time_bucket(…, ts). */
function isTime(value: AstValue): boolean {
  if (!isNode(value) || !isExpression(value)) return false;
  if (isColumnRef(value)) return isTimeColumn(value);
  if (value.class === "CAST") return isTime(value["child"] ?? null);
  const rounds = isFunctionCall(value) &&
    ["date_trunc", "time_bucket"].includes(value.function_name);
  return rounds && value.children.some(isTime);
}

function isTimeColumn(node: AstNode): boolean {
  return isColumnRef(node) &&
    ["ts", "time_local"].includes(node.column_names.at(-1)?.toLowerCase() ?? "");
}
