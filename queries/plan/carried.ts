/**
 * SELECTs that every host runs over its own rows: they carry what it selects, and the merge puts the
 * rows together, sorts and cuts them.
 */
import { baseTable, columnRef, constant, integerOf, isColumnRef, named } from "../ast_nodes.ts";
import { select, some, subqueryTable } from "../ast_nodes.ts";
import type { AstNode, Expression, OrderModifier, SelectNode } from "../ast_nodes.ts";
import { bareName, isClass } from "./shape.ts";
import { rowsWanted } from "./top_k.ts";

export interface CarriedSplit {
  partial: SelectNode;
  merge: SelectNode;
}

export interface CarriedRequest {
  /** Of the columns that the SELECT gives. */
  names: readonly string[];
  /** That holds the hosts' rows while they are merged. */
  table: string;
}

/** Null: what the rows are sorted by cannot be carried. */
export function splitCarried(
  whole: SelectNode,
  { names, table }: CarriedRequest,
): CarriedSplit | null {
  const orders = new Orders(whole, names);
  const modifiers = whole.modifiers.map((modifier) => orders.carried(modifier));
  if (!modifiers.every((modifier) => modifier !== null)) return null;
  const all = [...names.map((_, i) => carriedName(i)), ...orders.extra.map(({ alias }) => alias)];
  const inner = { ...whole, select_list: [...whole.select_list, ...orders.extra] };
  const rows = { ...subqueryTable(firstRows(inner), "own_rows"), column_name_alias: all };
  const merge = select(
    names.map((name, i) => named(columnRef(carriedName(i)), name)),
    baseTable(table),
  );
  return {
    partial: select(all.map((name) => columnRef(name)), rows),
    merge: { ...merge, modifiers },
  };
}

function carriedName(i: number): string {
  return `__c${i}`;
}

/** The query as it was asked, but for rows that cannot be among the first of all. */
function firstRows(whole: SelectNode): SelectNode {
  const count = rowsWanted(whole);
  if (count === null) return { ...whole, modifiers: [] };
  const modifiers = whole.modifiers.map((modifier) =>
    modifier["type"] === "LIMIT_MODIFIER"
      ? { ...modifier, limit: constant(count), offset: null }
      : modifier
  );
  return { ...whole, modifiers };
}

/** What rows are sorted by, as columns that are carried. */
class Orders {
  /** Columns that are carried for the order alone. */
  readonly extra: Expression[] = [];
  private readonly lower: readonly string[];
  private readonly aliases: ReadonlySet<string>;

  constructor(whole: SelectNode, names: readonly string[]) {
    this.lower = names.map((name) => name.toLowerCase());
    this.aliases = new Set(whole.select_list.map(({ alias }) => alias.toLowerCase()));
  }

  /** ORDER BY over the columns as they are carried; null where that is not clear. */
  carried(modifier: AstNode): AstNode | null {
    if (modifier["type"] !== "ORDER_MODIFIER") return modifier;
    const orders = (modifier as OrderModifier).orders.map((order) => {
      if (isClass("STAR")(order.expression)) return order;
      const name = this.nameOf(order.expression);
      return name === null ? null : { ...order, expression: columnRef(name) };
    });
    return orders.every((order) => order !== null) ? { ...modifier, orders } : null;
  }

  private nameOf(expression: Expression): string | null {
    const { lower } = this;
    const position = integerOf(expression);
    const i = position === null ? lower.indexOf(bareName(expression) ?? "") : position - 1;
    const isClear = i >= 0 && i < lower.length && lower.indexOf(lower[i] ?? "", i + 1) < 0;
    if (isClear) return carriedName(i);
    return i >= 0 ? null : this.added(expression);
  }

  /** An expression that means the same in the list: there an alias is not what it is in ORDER BY. */
  private added(expression: Expression): string | null {
    const isAmbiguous = some(
      expression,
      (part) =>
        isClass("STAR", "POSITIONAL_REFERENCE", "CONSTANT")(expression) ||
        (isColumnRef(part) && this.aliases.has(bareName(part) ?? "")),
    );
    if (isAmbiguous) return null;
    const name = carriedName(this.lower.length + this.extra.length);
    this.extra.push(named(expression, name));
    return name;
  }
}
