/** How an aggregate over all rows comes from aggregates over the rows of each host. */
import { call, cast, coalesce, conjunction, constant, identity } from "../ast_nodes.ts";
import type { Expression, FunctionCall } from "../ast_nodes.ts";
import { betweenNumbers, interpolation, isDecimal } from "./interpolation.ts";
import type { TemplateName, Templates } from "./templates.ts";

/** What a merge has the hosts ship; it gets the columns that hold what all of them shipped. */
export interface Shipping {
  /** What an expression is for each group. */
  state(part: FunctionCall): Expression;
  /** The different values of an expression in each group, with how often each is there. */
  values(of: Expression, weight: FunctionCall): Values;
  /** Some hashes of the values of an expression in each group: the smallest. */
  sketch(of: Expression, filter: Expression | null): Expression;
  /** Of an expression: DOUBLE stands for all numbers but DECIMALs. */
  typeOf(of: Expression): string;
  templates: Templates;
}

/** Columns with a row for each value of a group on each host. */
export interface Values {
  value: Expression;
  /** How many rows of the logs it stands for. */
  weight: Expression;
  /** Of this value and smaller ones, of the group, of this value: on all hosts. */
  running(): Expression;
  total(): Expression;
  tally(): Expression;
  /** Values that are no numbers cannot be merged like this. */
  mustBeNumbers(): void;
}

/** The expression over partial results that equals `whole` over the rows; null: there is none. */
export type Merge = (whole: FunctionCall, ship: Shipping) => Expression | null;

const same: Merge = (whole, ship) => call(whole.function_name, ship.state(whole));

/** No host or no row counts 0, where a sum of nothing is NULL. */
const count: Merge = (whole, ship) =>
  cast(coalesce(call("sum", ship.state(whole)), constant(0)), "BIGINT");

const countIf: Merge = (whole, ship) => call("sum", ship.state(whole));

/** Sum by count. Where sum gives no number (times, intervals) this does not bind: rows it is. */
const average: Merge = (whole, ship) => {
  const sum = ship.state({ ...whole, function_name: "sum" });
  const rows = ship.state({ ...whole, function_name: "count" });
  return call("/", cast(call("sum", sum), "DOUBLE"), call("sum", rows));
};

/** The value of each host's first, by the measure that it was first by. */
const extreme = (measure: "min" | "max"): Merge => (whole, ship) => {
  const [value, by, ...more] = whole.children;
  if (value === undefined || by === undefined || more.length > 0) return null;
  const given = ship.templates.fill("isNotNull", { value });
  const filter = whole.filter === null ? given : conjunction([whole.filter, given]);
  const best = ship.state({ ...call(measure, by), filter });
  return call(whole.function_name, ship.state(whole), best);
};

const spread = (name: TemplateName, isRoot: boolean): Merge => (whole, ship) => {
  const state = (function_name: string) => ship.state({ ...whole, function_name });
  const parts = { rows: state("count"), mean: state("avg"), variance: state("var_pop") };
  const moments = ship.templates.fill("moments", parts);
  const variance = ship.templates.fill(name, { moments });
  return isRoot ? call("sqrt", variance) : variance;
};

const mode: Merge = (whole, ship) => {
  const [of, ...more] = whole.children;
  if (of === undefined || more.length > 0) return null;
  const { value, weight, tally } = ship.values(of, { ...whole, function_name: "count" });
  return ship.templates.fill("mode", { value, weight, tally: tally() });
};

const histogram: Merge = (whole, ship) => {
  const [of, ...more] = whole.children;
  if (of === undefined || more.length > 0) return null;
  const { value, weight, tally } = ship.values(of, { ...whole, function_name: "count" });
  return ship.templates.fill("histogram", { value, weight, tally: tally() });
};

/** Makes the merge of one fraction of `values`, which are of a type as Shipping.typeOf has it. */
type Quantile = (values: Values, fraction: Expression, of: Typed) => Expression;

interface Typed {
  type: string;
  templates: Templates;
}

const discrete: Quantile = ({ value, weight, running, total }, fraction, { templates }) =>
  templates.fill("discrete", { value, weight, running: running(), total: total(), fraction });

const continuous: Quantile = (values, fraction, { type, templates }) => {
  const { value, weight } = values;
  const all = { value, weight, running: values.running(), total: values.total(), fraction };
  const between = interpolation(type);
  if (between === null) values.mustBeNumbers();
  return (between ?? betweenNumbers)({
    below: templates.fill("below", all),
    above: templates.fill("above", all),
    share: templates.fill("share", all),
  }, templates);
};

/** Of numbers that are rounded to three digits. */
const approximate: Quantile = (values, fraction, of) => {
  if (of.type === "DOUBLE") values.mustBeNumbers();
  const found = discrete(values, fraction, of);
  return isDecimal(of.type) ? cast(found, of.type) : found;
};

const quantile = (one: Quantile): Merge => (whole, ship) => {
  const asked = quantileOf(whole);
  if (asked === null) return null;
  const typed = {
    type: one === discrete ? "" : ship.typeOf(asked.of),
    templates: ship.templates,
  };
  const of = one === approximate ? roundedOf(asked.of, typed) : asked.of;
  const weight = { ...call("count", of), filter: whole.filter };
  const values = ship.values(of, weight);
  const all = asked.fractions.map((fraction) => one(values, fraction, typed));
  if (!asked.isList) return all[0] ?? null;
  const list = call("list_value", ...all);
  return ship.templates.fill("listed", { weight: values.weight, list });
};

const median: Merge = (whole, ship) => {
  const half = cast(constant("0.5"), "DOUBLE");
  return quantile(continuous)({ ...whole, children: [...whole.children, half] }, ship);
};

const approximateCount: Merge = ({ children: [of], filter }, ship) => {
  if (of === undefined) return null;
  const hashes = ship.templates.fill("distinctValues", { value: ship.sketch(of, filter) });
  return ship.templates.fill("sketchedCount", { hashes });
};

/** Times are not rounded: half a percent of a time since 1970 is some months. */
function roundedOf(value: Expression, { type, templates }: Typed): Expression {
  if (type === "DOUBLE") return templates.fill("rounded", { value });
  return isDecimal(type) ? templates.fill("rounded", { value: cast(value, "DOUBLE") }) : value;
}

const MERGES: Readonly<Record<string, Merge>> = {
  any_value: same,
  approx_count_distinct: approximateCount,
  approx_quantile: quantile(approximate),
  arg_max: extreme("max"),
  arg_min: extreme("min"),
  argmax: extreme("max"),
  argmin: extreme("min"),
  avg: average,
  bit_and: same,
  bit_or: same,
  bit_xor: same,
  bool_and: same,
  bool_or: same,
  count,
  count_if: countIf,
  count_star: count,
  countif: countIf,
  histogram,
  max: same,
  max_by: extreme("max"),
  mean: average,
  median,
  min: same,
  min_by: extreme("min"),
  mode,
  product: same,
  quantile: quantile(discrete),
  quantile_cont: quantile(continuous),
  quantile_disc: quantile(discrete),
  stddev: spread("sampleVariance", true),
  stddev_pop: spread("populationVariance", true),
  stddev_samp: spread("sampleVariance", true),
  sum: same,
  var_pop: spread("populationVariance", false),
  var_samp: spread("sampleVariance", false),
  variance: spread("sampleVariance", false),
};

/** Aggregates that do not change when rows are doubled. */
const IDEMPOTENT = new Set(["bit_and", "bit_or", "bool_and", "bool_or", "max", "min"]);

/** Their ORDER BY says what they are of: percentile_cont(0.5) WITHIN GROUP (ORDER BY x). */
const ORDERED = new Set(["quantile_cont", "quantile_disc"]);

/** Says whether doubled rows leave the aggregate as it is. */
export function ignoresDuplicates(whole: FunctionCall): boolean {
  return whole.distinct || IDEMPOTENT.has(whole.function_name.toLowerCase());
}

/** How to merge this aggregate; null when partial results do not suffice. */
export function mergeOf(whole: FunctionCall): Merge | null {
  const name = whole.function_name.toLowerCase();
  if (whole.distinct && !IDEMPOTENT.has(name)) return distinct;
  if (whole.order_bys.orders.length > 0 && !ORDERED.has(name)) return null;
  return Object.hasOwn(MERGES, name) ? MERGES[name] ?? null : null;
}

/** The aggregate itself over the different values, which have come together. */
const distinct: Merge = (whole, ship) => {
  const [of, ...more] = whole.children;
  if (of === undefined || more.some((child) => child.class !== "CONSTANT")) return null;
  const { orders } = whole.order_bys;
  const itself = identity(of);
  const isOwn = ({ expression }: (typeof orders)[number]) =>
    identity(expression as Expression) === itself;
  if (!orders.every(isOwn)) return null;
  const { value, weight } = ship.values(of, { ...call("count_star"), filter: whole.filter });
  return {
    ...whole,
    children: [value, ...more],
    filter: ship.templates.fill("present", { weight }),
    order_bys: { ...whole.order_bys, orders: orders.map((o) => ({ ...o, expression: value })) },
  };
};

interface AskedQuantile {
  of: Expression;
  fractions: Expression[];
  /** A list was asked for, and a list is the answer. */
  isList: boolean;
}

/** What quantiles of what a call asks for; null: not plainly ascending fractions. */
function quantileOf({ children, order_bys: { orders } }: FunctionCall): AskedQuantile | null {
  const [order, ...otherOrders] = orders;
  const [of, fraction, ...more] = order === undefined
    ? children
    : [order["expression"] as Expression, ...children];
  if (of === undefined || fraction === undefined || more.length > 0) return null;
  if (otherOrders.length > 0 || order?.["type"] === "DESCENDING") return null;
  const list = fraction["function_name"] === "list_value" ? fraction["children"] : null;
  const fractions = Array.isArray(list) ? list as Expression[] : [fraction];
  return fractions.every(isFraction) ? { of, fractions, isList: list !== null } : null;
}

/** A constant from 0 on: negative ones count from the other end. */
function isFraction(expression: Expression): boolean {
  const literal = expression.class === "CAST" ? expression["child"] as Expression : expression;
  const { value } = literal["value"] as { value?: unknown } ?? {};
  return literal["class"] === "CONSTANT" && value !== undefined &&
    !JSON.stringify(value).startsWith("-");
}
