/** Splits GROUP BY and aggregates: hosts aggregate their rows, the merge aggregates those results. */
import { baseTable, columnRef, constant, find, identity, integerOf } from "../ast_nodes.ts";
import { isColumnRef, isExpression, isFunctionCall, named, rewrite, select } from "../ast_nodes.ts";
import { some } from "../ast_nodes.ts";
import type { AstNode, AstValue, Expression, FunctionCall, OrderModifier } from "../ast_nodes.ts";
import type { SelectNode } from "../ast_nodes.ts";
import { mergeOf } from "./merges.ts";
import { bareName, isAggregate, isClass, obstacle } from "./shape.ts";
import type { Obstacle, SingleTable } from "./shape.ts";

/** The table that holds the hosts' partial results while they are merged. */
export const PARTIAL_TABLE = "partial";

export interface Split {
  partial: SelectNode;
  merge: SelectNode;
}

/** Says whether the answer is made of groups, rather than of rows. */
export function aggregates({ select }: SingleTable): boolean {
  return select.group_expressions.length > 0 || select.having !== null ||
    select.aggregate_handling === "FORCE_AGGREGATES" ||
    some([select.select_list, select.qualify, select.modifiers], isAggregate);
}

/** `columns` are the table's, `names` those of the answer. */
export function splitAggregate(
  table: SingleTable,
  columns: readonly string[],
  names: readonly string[],
): Split | Obstacle {
  const found = findObstacle(table, columns, names);
  if (found !== null) return found;
  try {
    return new Splitter(resolved(table, columns)).split(names);
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
  /** What hosts compute beside the keys, by identity: the same aggregate travels once. */
  private readonly shipped = new Map<string, Expression>();

  constructor(private readonly whole: SelectNode) {
    this.keys = groupKeys(whole);
    for (const [i, key] of this.keys.entries()) {
      // Constants stay as they are, for some functions take nothing else.
      if (key.class !== "CONSTANT") this.keyColumns.set(identity(key), partialColumn(`__k${i}`));
      else if (whole.group_sets.length > 1) {
        throw new Unmergeable(obstacle(key, "is NULL in some grouping sets"));
      }
    }
  }

  split(names: readonly string[]): Split {
    const merge: SelectNode = {
      ...this.whole,
      select_list: this.whole.select_list.map((item, i) =>
        named(this.merged(item), names[i] ?? "")
      ),
      from_table: baseTable(PARTIAL_TABLE),
      where_clause: null,
      group_expressions: this.keys.map((_, i) => partialColumn(`__k${i}`)),
      group_sets: groupSets(this.whole, this.keys.length),
      aggregate_handling: "STANDARD_HANDLING",
      having: this.merged(this.whole.having),
      qualify: this.merged(this.whole.qualify),
      modifiers: this.merged(this.whole.modifiers),
    };
    return { merge, partial: this.partial() };
  }

  private partial(): SelectNode {
    const positions = this.keys.map((_, i) => i);
    const list = this.keys.map((key, i) => named(key, `__k${i}`));
    return {
      ...select([...list, ...this.shipped.values()], this.whole.from_table),
      where_clause: this.whole.where_clause,
      group_expressions: positions.map((i) => constant(i + 1)),
      group_sets: positions.length > 0 ? [positions] : [],
    };
  }

  private merged<T extends AstValue>(value: T): T {
    return rewrite(value, (node) => {
      if (!isExpression(node)) return undefined;
      const key = this.keyColumns.get(identity(node));
      if (key !== undefined) return named(key, node.alias);
      if (!isFunctionCall(node) || !isAggregate(node)) return undefined;
      return named(this.mergedCall(node), node.alias);
    });
  }

  private mergedCall(whole: FunctionCall): Expression {
    const merge = mergeOf(whole);
    if (merge === null) {
      throw new Unmergeable(obstacle(whole, "cannot be merged from partial results"));
    }
    return merge({ ...whole, alias: "" }, (part) => this.ship(part));
  }

  private ship(part: FunctionCall): Expression {
    const id = identity(part);
    const known = this.shipped.get(id) ?? named(part, `__p${this.shipped.size}`);
    this.shipped.set(id, known);
    return partialColumn(known.alias);
  }
}

/** Qualified: an alias of the answer with the same name must not stand in its way. */
function partialColumn(name: string): Expression {
  return columnRef(PARTIAL_TABLE, name);
}

/** What is grouped by, with positions (GROUP BY 1) and GROUP BY ALL replaced. */
function groupKeys(whole: SelectNode): Expression[] {
  if (whole.aggregate_handling === "FORCE_AGGREGATES") {
    return whole.select_list.filter((item) => !some(item, isAggregate))
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
