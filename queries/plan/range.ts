/** Which time a query reads: what was asked, unless the SQL itself bounds the time. */
import type { Range } from "../../protocol/claims.ts";
import { isColumnRef, isExpression, isFunctionCall, isNode, isSelect, walk } from "../ast_nodes.ts";
import type { AstNode, AstValue, QueryNode, SelectNode } from "../ast_nodes.ts";
import { baseTablesOf, conjunctsOf } from "./shape.ts";

export interface Bounds {
  since: string | null;
  until: string | null;
}

/** The implied range is dropped where every SELECT that reads a table bounds ts or time_local. */
export function boundsOf(node: QueryNode, range: Range): Bounds {
  const { since, until, implied } = range;
  if (!implied) return { since, until };
  const readers = walk(node).filter(isSelect)
    .filter((select) => baseTablesOf(select.from_table).length > 0).toArray();
  const bounded = readers.length > 0 && readers.every(boundsTime);
  return bounded ? { since: null, until: null } : { since, until };
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

function boundsTime(select: SelectNode): boolean {
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
