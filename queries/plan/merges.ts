/** How an aggregate over all rows comes from aggregates over the rows of each host. */
import { call, cast, coalesce, constant } from "../ast_nodes.ts";
import type { Expression, FunctionCall } from "../ast_nodes.ts";

/** `ship` has a host compute an expression and gives the column of what all hosts computed. */
export type Ship = (part: FunctionCall) => Expression;

/** The expression over partial results that equals `whole` over the rows. */
export type Merge = (whole: FunctionCall, ship: Ship) => Expression;

const same: Merge = (whole, ship) => call(whole.function_name, ship(whole));

/** No host or no row counts 0, where a sum of nothing is NULL. */
const count: Merge = (whole, ship) =>
  cast(coalesce(call("sum", ship(whole)), constant(0)), "BIGINT");

/** Sum by count. Where sum gives no number (times, intervals) this does not bind: rows it is. */
const average: Merge = (whole, ship) => {
  const sum = ship({ ...whole, function_name: "sum" });
  const rows = ship({ ...whole, function_name: "count" });
  return call("/", cast(call("sum", sum), "DOUBLE"), call("sum", rows));
};

const MERGES: Readonly<Record<string, Merge>> = {
  avg: average,
  bit_and: same,
  bit_or: same,
  bit_xor: same,
  bool_and: same,
  bool_or: same,
  count,
  count_star: count,
  max: same,
  mean: average,
  min: same,
  sum: same,
};

/** Aggregates that do not change when rows are doubled. */
const IDEMPOTENT = new Set(["bit_and", "bit_or", "bool_and", "bool_or", "max", "min"]);

/** Says whether doubled rows leave the aggregate as it is. */
export function ignoresDuplicates(whole: FunctionCall): boolean {
  return whole.distinct || IDEMPOTENT.has(whole.function_name.toLowerCase());
}

/** How to merge this aggregate; null when partial results do not suffice. */
export function mergeOf(whole: FunctionCall): Merge | null {
  const name = whole.function_name.toLowerCase();
  if (whole.children.length > 1 || whole.order_bys.orders.length > 0) return null;
  if (whole.distinct && !IDEMPOTENT.has(name)) return null;
  return Object.hasOwn(MERGES, name) ? MERGES[name] ?? null : null;
}
