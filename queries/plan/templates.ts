/** SQL of expressions that merge partial results, parsed once: names in it are filled in later. */
import { parseSelect } from "../ast.ts";
import { isColumnRef, isSelect, named, rewrite } from "../ast_nodes.ts";
import type { Expression } from "../ast_nodes.ts";
import type { Engine } from "../duckdb/engine.ts";

/** Distinct values of a sketch: exact below it; beyond, the standard error is 1/sqrt of it, 2.2 %. */
const SKETCH_VALUES = 2_048;

/**
 * Over rows of a value of a group: `value`, `weight` (how many rows of the logs it stands for),
 * `running` (those of values up to it), `total`, `tally` (of this value on all hosts); and over
 * rows of a host's group: `rows`, `mean`, `variance`.
 */
const TEXTS = {
  present: "weight > 0",
  distinctValues: "list_sort(list(DISTINCT value) FILTER (value IS NOT NULL))",
  /** The k-th smallest of evenly spread hashes says how many there are. */
  sketchedCount: `coalesce(CASE WHEN len(hashes) < ${SKETCH_VALUES} THEN len(hashes) ELSE
    round(${SKETCH_VALUES - 1} * 18446744073709551616::DOUBLE / hashes[${SKETCH_VALUES}]::DOUBLE)
    END, 0)::BIGINT`,
  sketched: `row_number() OVER (ORDER BY value) <= ${SKETCH_VALUES}`,
  isNotNull: "value IS NOT NULL",
  discrete: `min(value) FILTER (weight > 0 AND
    running >= greatest(1, total - floor(total - fraction * total)))`,
  below: `min(value) FILTER (weight > 0 AND running > floor((total - 1) * fraction::DOUBLE))`,
  above: `min(value) FILTER (weight > 0 AND running > ceil((total - 1) * fraction::DOUBLE))`,
  share: `(max(total) FILTER (weight > 0) - 1) * fraction::DOUBLE % 1`,
  continuous: `CASE WHEN share = 0 THEN below::DOUBLE
    ELSE below::DOUBLE * (1 - share) + above::DOUBLE * share END`,
  continuousInstant: `make_timestamp(CASE WHEN share = 0 THEN epoch_us(below)
    ELSE round(epoch_us(below) * (1 - share) + epoch_us(above) * share)::BIGINT END)`,
  continuousTime: `TIME '00:00:00' + to_microseconds(CASE WHEN share = 0 THEN epoch_us(below)
    ELSE round(epoch_us(below) * (1 - share) + epoch_us(above) * share)::BIGINT END)`,
  /** DECIMALs are whole numbers of their last digit, and so is what is added. */
  decimalStep: "trunc(round((above - below)::DOUBLE * unit) * share) / unit",
  decimalSum: "CASE WHEN share = 0 THEN below ELSE below + step END",
  listed: "CASE WHEN max(weight) > 0 THEN list END",
  /** Three digits: quantiles of rounded values are off by half a percent at most. */
  rounded: `CASE WHEN abs(value) > 1e-300::DOUBLE AND abs(value) < 1e300::DOUBLE
    THEN round(value, 2 - floor(log10(abs(value)))::INTEGER) ELSE value END`,
  mode: "arg_max(value, tally) FILTER (weight > 0)",
  histogram: `map_from_entries(list_sort(
    list(DISTINCT {'key': value, 'value': tally::UBIGINT}) FILTER (weight > 0)))`,
  /** Count, mean and summed squares of two groups give those of both (Chan et al. 1979). */
  moments: `list_reduce(
    list({'n': rows::DOUBLE, 'm': mean, 's': variance * rows}) FILTER (rows > 0),
    lambda a, b: {
      'n': a.n + b.n,
      'm': a.m + (b.m - a.m) * (b.n / (a.n + b.n)),
      's': a.s + b.s + (b.m - a.m) * (b.m - a.m) * (a.n * b.n / (a.n + b.n)) })`,
  populationVariance: "moments['s'] / moments['n']",
  sampleVariance: "CASE WHEN moments['n'] > 1 THEN moments['s'] / (moments['n'] - 1) END",
  running: "sum(weight) OVER (ORDER BY value)",
  total: "sum(weight) OVER ()",
} as const;

export type TemplateName = keyof typeof TEXTS;

export class Templates {
  private constructor(private readonly expressions: ReadonlyMap<string, Expression>) {}

  static async parse(engine: Engine): Promise<Templates> {
    const node = await parseSelect(engine, `SELECT ${Object.values(TEXTS).join(", ")}`);
    const list = isSelect(node) ? node.select_list : []; // it is one
    const names = Object.keys(TEXTS);
    return new Templates(new Map(list.map((expression, i) => [names[i] ?? "", expression])));
  }

  /** The expression with `meanings` in place of the names that it has for them. */
  fill(name: TemplateName, meanings: Readonly<Record<string, Expression>>): Expression {
    const template = this.expressions.get(name);
    if (template === undefined) throw new Error(`No template ${name}`);
    return rewrite(template, (node) => {
      if (!isColumnRef(node) || node.column_names.length !== 1) return undefined;
      const [own = ""] = node.column_names;
      const meaning = Object.hasOwn(meanings, own) ? meanings[own] : undefined;
      return meaning === undefined ? undefined : named(meaning, node.alias); // a struct's key
    });
  }
}
