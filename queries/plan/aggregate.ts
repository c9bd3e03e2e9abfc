/** Splits GROUP BY and aggregates: hosts aggregate their rows, the merge aggregates those results. */
import {
  call,
  constant,
  find,
  identity,
  integerOf,
  isColumnRef,
  isExpression,
} from "../ast_nodes.ts";
import { isFunctionCall, named, rewrite, some, walk } from "../ast_nodes.ts";
import type { AstNode, AstValue, Expression, FunctionCall, OrderModifier } from "../ast_nodes.ts";
import type { QueryNode, SelectNode } from "../ast_nodes.ts";
import { mergeOf } from "./merges.ts";
import {
  bareName,
  hasCollation,
  isAggregate,
  isClass,
  isPlainDistinct,
  obstacle,
} from "./shape.ts";
import type { Obstacle, SingleTable } from "./shape.ts";
import { partialColumn, Shipped } from "./shipped.ts";
import type { Templates } from "./templates.ts";

export interface Split {
  partial: QueryNode;
  merge: SelectNode;
  /** Columns of the partial that must hold numbers; else the merge is wrong. */
  numbers: ReadonlySet<string>;
  /** Whose types are needed for a merge that is right, where they are no numbers. */
  assumed: readonly Expression[];
  /** Hosts ship whole aggregates of groups that are theirs alone. */
  isHostComplete: boolean;
}

export interface SplitOptions {
  /** Of the plan. */
  version: number;
  /** Types of some expressions, by identity; all others are taken to be numbers. */
  types: ReadonlyMap<string, string>;
  templates: Templates;
  /** That holds the hosts' partial results while they are merged. */
  table: string;
}

/** Says whether the answer is made of groups, rather than of rows. */
export function aggregates({ select }: Pick<SingleTable, "select">): boolean {
  return select.group_expressions.length > 0 || select.having !== null ||
    select.aggregate_handling === "FORCE_AGGREGATES" ||
    some([select.select_list, select.qualify, select.modifiers], isAggregate);
}

/** SELECT DISTINCT as GROUP BY its columns; all else as it is. */
export function grouped(single: SingleTable): SingleTable {
  const { select } = single;
  const modifiers = select.modifiers.filter((modifier) => !isPlainDistinct(modifier));
  const isDistinct = modifiers.length < select.modifiers.length;
  if (!isDistinct || aggregates(single) || some(select, isClass("WINDOW"))) return single;
  const positions = select.select_list.map((_, i) => i);
  const groups = {
    group_expressions: positions.map((i) => constant(i + 1)),
    group_sets: [positions],
  };
  return { ...single, select: { ...select, modifiers, ...groups } };
}

/** `columns` are the table's, `names` those of the answer. */
export function splitAggregate(
  table: SingleTable,
  columns: readonly string[],
  names: readonly string[],
  how: SplitOptions,
): Split | Obstacle {
  const found = findObstacle(table, columns, names);
  if (found !== null) return found;
  try {
    return new Splitter(resolved(table, columns), how).split(names);
  } catch (thrown) {
    if (thrown instanceof Unmergeable) return thrown.obstacle;
    throw thrown;
  }
}

function findObstacle(
  { select, qualifier }: SingleTable,
  columns: readonly string[],
  names: readonly string[],
): Obstacle | null {
  const isOpaque = isClass("STAR", "LAMBDA", "POSITIONAL_REFERENCE");
  const opaque = find(select, (node) => isOpaque(node) && !isOrderByAll(select, node));
  if (opaque !== undefined) {
    return obstacle(opaque, "is not split between hosts");
  }
  if (select.modifiers.some(({ type }) => type === "DISTINCT_MODIFIER")) {
    return { subject: "DISTINCT", node: null, why: "over groups is not split between hosts" };
  }
  const aliases = select.select_list.map(({ alias }) => alias.toLowerCase()).filter(Boolean);
  const ambiguous = new Set(aliases).size < aliases.length || columns.includes(qualifier) ||
    names.length !== select.select_list.length;
  // HAVING and QUALIFY that name a column which is also another one's alias.
  const shadows = select.select_list.some(({ alias, ...item }) =>
    columns.includes(alias.toLowerCase()) && bareName(item) !== alias.toLowerCase() &&
    some([select.having, select.qualify], (node) => bareName(node) === alias.toLowerCase())
  );
  return ambiguous || shadows
    ? { subject: "a name", node: null, why: "has two meanings: give columns other aliases" }
    : null;
}

function isOrderByAll(select: SelectNode, star: AstNode): boolean {
  return ordersOf(select).some(({ expression }) => expression === star);
}

function ordersOf(select: SelectNode): OrderModifier["orders"] {
  return select.modifiers.filter((modifier) => modifier["type"] === "ORDER_MODIFIER")
    .flatMap((modifier) => (modifier as OrderModifier).orders);
}

/** The SELECT with aliases replaced by what they stand for, and columns by their bare names. */
function resolved({ select, qualifier }: SingleTable, columns: readonly string[]): SelectNode {
  const meanings = new Map<string, Expression>();
  const resolve = <T extends AstValue>(value: T): T =>
    rewrite(value, (node) => {
      if (!isColumnRef(node)) return undefined;
      const [first, second, ...more] = node.column_names.map((name) => name.toLowerCase());
      const column = second === undefined ? first : first === qualifier ? second : undefined;
      if (more.length === 0 && column !== undefined && columns.includes(column)) {
        return { ...node, column_names: [column] };
      }
      const meaning = meanings.get(bareName(node) ?? "");
      return meaning === undefined ? undefined : named(meaning, node.alias);
    });
  const list = select.select_list.map((item) => {
    const meaning = resolve(item);
    if (item.alias !== "") meanings.set(item.alias.toLowerCase(), meaning);
    return meaning;
  });
  const modifiers = select.modifiers.map((modifier) =>
    modifier["type"] !== "ORDER_MODIFIER" ? modifier : {
      ...modifier,
      orders: (modifier as OrderModifier).orders.map((order) => {
        const alias = meanings.get(bareName(order.expression) ?? ""); // goes before a column
        return { ...order, expression: alias ?? resolve(order.expression) };
      }),
    }
  );
  return {
    ...select,
    select_list: list,
    where_clause: resolve(select.where_clause),
    group_expressions: resolve(select.group_expressions),
    having: resolve(select.having),
    qualify: resolve(select.qualify),
    modifiers,
  };
}

class Unmergeable extends Error {
  constructor(readonly obstacle: Obstacle) {
    super(obstacle.why);
  }
}

class Splitter {
  private readonly keys: Expression[];
  private readonly keyColumns = new Map<string, Expression>();
  private readonly shipped: Shipped;
  /** Every group lies on one host, as a whole. */
  private readonly isOfOneHost: boolean;
  private shipsWholes = false;

  constructor(private readonly whole: SelectNode, private readonly how: SplitOptions) {
    this.keys = groupKeys(whole);
    this.shipped = new Shipped(this.keys, how);
    if (this.keys.length === 0 && !some({ ...whole, from_table: null }, isAggregate)) {
      throw new Unmergeable({
        subject: "",
        node: null,
        why: "it has neither groups nor aggregates",
      });
    }
    if (how.version >= 7) refuseCollation(whole, this.keys);
    const isCoarser = whole.group_sets.length > 1;
    this.isOfOneHost = !isCoarser &&
      this.keys.some((key) => bareName(key) === "host");
    for (const [i, key] of this.keys.entries()) {
      // Constants stay as they are, for some functions take nothing else.
      if (key.class !== "CONSTANT") this.keyColumns.set(identity(key), partialColumn(`__k${i}`));
      else if (isCoarser) {
        throw new Unmergeable(obstacle(key, "is NULL in some grouping sets"));
      }
    }
  }

  split(names: readonly string[]): Split {
    const { whole, keys, shipped, how } = this;
    const list = whole.select_list.map((item, i) => named(this.merged(item), names[i] ?? ""));
    const having = this.merged(whole.having);
    const qualify = this.merged(whole.qualify);
    const modifiers = this.merged(whole.modifiers);
    return {
      isHostComplete: this.shipsWholes,
      numbers: shipped.numbers,
      assumed: shipped.assumed,
      partial: shipped.partial(whole.from_table, whole.where_clause),
      merge: {
        ...whole,
        select_list: list,
        from_table: shipped.source(how.table),
        where_clause: null,
        group_expressions: keys.map((_, i) => partialColumn(`__k${i}`)),
        group_sets: groupSets(whole, keys.length),
        aggregate_handling: "STANDARD_HANDLING",
        having,
        qualify,
        modifiers,
      },
    };
  }

  private merged<T extends AstValue>(value: T): T {
    return rewrite(value, (node) => {
      if (!isExpression(node)) return undefined;
      const key = this.keyColumns.get(identity(node));
      if (key !== undefined) return named(key, node.alias);
      if (!isFunctionCall(node) || !isAggregate(node)) return undefined;
      return named(this.mergedCall({ ...node, alias: "" }), node.alias);
    });
  }

  private mergedCall(whole: FunctionCall): Expression {
    const merged = mergeOf(whole)?.(whole, this.shipped) ?? null;
    const isCoarser = this.whole.group_sets.length > 1;
    if (merged !== null && !(isCoarser && this.shipped.countsWithinGroups)) return merged;
    if (!this.isOfOneHost) {
      throw new Unmergeable(obstacle(whole, "cannot be merged from partial results"));
    }
    this.shipsWholes = true;
    return call("any_value", this.shipped.whole(whole));
  }
}

/** Texts that are compared by a collation come to the merge without it. */
function refuseCollation(whole: SelectNode, keys: readonly Expression[]): void {
  const calls = walk(whole).filter(isFunctionCall).filter(isAggregate);
  const measured = calls.flatMap(({ children, order_bys: { orders } }) => [...children, ...orders]);
  const collated = find([...keys, ...measured], hasCollation);
  if (collated !== undefined) {
    throw new Unmergeable(obstacle(collated, "is no part of what hosts send"));
  }
}

/**
 * What is grouped by, with positions (GROUP BY 1) and GROUP BY ALL replaced: the latter means what has
 * a column in it, so that constants alone make one group even of no rows.
 */
function groupKeys(whole: SelectNode): Expression[] {
  if (whole.aggregate_handling === "FORCE_AGGREGATES") {
    return whole.select_list
      .filter((item) => !some(item, isAggregate) && some(item, isColumnRef))
      .map((item) => named(item, ""));
  }
  return whole.group_expressions.map((key) => {
    const position = integerOf(key);
    return position === null ? key : named(whole.select_list[position - 1] ?? key, "");
  });
}

function groupSets(whole: SelectNode, keyCount: number): number[][] {
  if (whole.aggregate_handling !== "FORCE_AGGREGATES") return whole.group_sets;
  return keyCount > 0 ? [Array.from({ length: keyCount }, (_, i) => i)] : [];
}
