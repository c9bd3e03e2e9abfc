/**
 * A join of a table of the fleet with the asker's own tables, which every host has: each host joins
 * its own rows, so to the rest of the plan the join is one table.
 */
import { columnRef, isBaseTable, isColumnRef, named, rewrite, select, some } from "../ast_nodes.ts";
import { baseTable, isSelect } from "../ast_nodes.ts";
import type { AstNode, AstValue, Expression, OrderModifier } from "../ast_nodes.ts";
import type { QueryNode, SelectNode } from "../ast_nodes.ts";
import { bareName, baseTablesOf, isClass } from "./shape.ts";

/** The name that the join goes by; no table of the fleet or of an asker starts like this. */
export const JOINED_TABLE = "__joined";

export interface Joined {
  /** The query over JOINED_TABLE. */
  select: SelectNode;
  /** What hosts read by that name. */
  source: SelectNode;
  /** Its columns, in lower case: the fleet's as they are called, the asker's as `users.team`. */
  columns: string[];
}

/** Columns of tables, in lower case; null for tables of another kind. */
export interface JoinTables {
  fleet(table: string): readonly string[] | null;
  own(table: string): readonly string[] | null;
}

/** A table of a FROM. */
export interface JoinSource {
  qualifier: string;
  columns: readonly string[];
  isFleet: boolean;
}

/** The query over its join as one table; null when it is no such join, or its names are not clear. */
export function joinedTable(node: QueryNode, tables: JoinTables): Joined | null {
  if (!isSelect(node) || node.from_table.type !== "JOIN" || node.cte_map.map.length > 0) {
    return null;
  }
  const sources = sourcesOf(node.from_table, tables);
  if (sources === null || !distributes(node.from_table, tables)) return null;
  if (some(node, isClass("SUBQUERY", "STAR", "POSITIONAL_REFERENCE", "LAMBDA"))) return null;
  if (!aliasesAreClear(node, sources)) return null;
  const { from_table: from, ...rest } = node;
  const aliases = new Set(node.select_list.map(({ alias }) => alias.toLowerCase()));
  const names = new Names(sources, usingOf(from));
  const resolved = { ...names.resolve({ ...rest, modifiers: [] }), modifiers: node.modifiers };
  const modifiers = node.modifiers.map((modifier) =>
    modifier["type"] === "ORDER_MODIFIER"
      ? {
        ...modifier,
        orders: (modifier as OrderModifier).orders.map((order) =>
          // an alias goes before a column
          aliases.has(bareName(order.expression) ?? "") ? order : names.resolve(order)
        ),
      }
      : names.resolve(modifier)
  );
  if (names.unclear) return null;
  return {
    select: { ...resolved, modifiers, from_table: baseTable(JOINED_TABLE) } as SelectNode,
    source: select(sources.flatMap(listOf), from),
    columns: sources.flatMap((source) => source.columns.map((column) => nameIn(source, column))),
  };
}

function listOf(source: JoinSource): Expression[] {
  return source.columns.map((column) =>
    named(columnRef(source.qualifier, column), nameIn(source, column))
  );
}

function nameIn({ qualifier, isFleet }: JoinSource, column: string): string {
  return isFleet ? column : `${qualifier}.${column}`;
}

/** One table of the fleet and others of the asker, each by a name of its own. */
export function sourcesOf(from: AstNode, tables: JoinTables): JoinSource[] | null {
  const sources: JoinSource[] = [];
  for (const table of baseTablesOf(from)) {
    const name = table.table_name.toLowerCase();
    const fleet = tables.fleet(name);
    const columns = fleet ?? tables.own(name);
    if (columns === null || table.sample !== null || table.column_name_alias.length > 0) {
      return null;
    }
    const qualifier = table.alias.toLowerCase() || name;
    sources.push({ qualifier, columns, isFleet: fleet !== null });
  }
  const qualifiers = sources.map(({ qualifier }) => qualifier);
  const columns = new Set(sources.flatMap((source) => source.columns));
  const isClear = sources.filter(({ isFleet }) => isFleet).length === 1 &&
    new Set(qualifiers).size === qualifiers.length &&
    qualifiers.every((qualifier) => !columns.has(qualifier)) &&
    [...columns].every((column) => !column.includes("."));
  return isClear ? sources : null;
}

/** Whether the join of all rows is the joins of each host's rows together. */
export function distributes(from: AstNode, tables: JoinTables): boolean {
  const isFleet = (part: AstNode) =>
    isBaseTable(part) && tables.fleet(part.table_name.toLowerCase()) !== null;
  if (isBaseTable(from)) return true;
  if (from["type"] !== "JOIN") return false; // a subquery, a function
  if (!["REGULAR", "CROSS"].includes(String(from["ref_type"]))) return false;
  const [left, right] = [from["left"], from["right"]] as [AstNode, AstNode];
  if (!distributes(left, tables) || !distributes(right, tables)) return false;
  const type = String(from["join_type"]);
  if (some(left, isFleet)) return type === "INNER" || type === "LEFT";
  if (some(right, isFleet)) {
    // The column that RIGHT JOIN … USING makes of two is the right one's.
    return type === "INNER" || (type === "RIGHT" && usingOf(from).length === 0);
  }
  return true;
}

/** HAVING and QUALIFY must not name a column which is also another one's alias. */
function aliasesAreClear(node: SelectNode, sources: readonly JoinSource[]): boolean {
  return node.select_list.every((item) => {
    const alias = item.alias.toLowerCase();
    if (!sources.some(({ columns }) => columns.includes(alias))) return true;
    const isItself = isColumnRef(item) && item.column_names.at(-1)?.toLowerCase() === alias;
    return isItself || !some([node.having, node.qualify], (part) => bareName(part) === alias);
  });
}

/** The columns that USING makes one of two. */
function usingOf(from: AstNode): string[] {
  if (from["type"] !== "JOIN") return [];
  const own = from["using_columns"] as string[];
  const sides = [from["left"], from["right"]] as AstNode[];
  return [...own.map((name) => name.toLowerCase()), ...sides.flatMap(usingOf)];
}

/** Puts the names of the joined table in place of those that stood in the SQL. */
class Names {
  /** Whether there was one that may be something else. */
  unclear = false;

  constructor(
    private readonly sources: readonly JoinSource[],
    private readonly using: readonly string[],
  ) {}

  resolve<T extends AstValue>(value: T): T {
    return rewrite(value, (node) => {
      if (!isColumnRef(node)) return undefined;
      const names = node.column_names.map((name) => name.toLowerCase());
      const resolved = this.nameOf(names);
      return resolved === null ? undefined : { ...node, column_names: [resolved] };
    });
  }

  private nameOf(names: readonly string[]): string | null {
    const [first = "", second, ...more] = names;
    const qualified = this.sources.find(({ qualifier }) => qualifier === first);
    if (second !== undefined) {
      const isColumn = qualified?.columns.includes(second) === true && more.length === 0;
      if (isColumn) return nameIn(qualified, second);
      this.unclear = true; // a field of a column, or what is not there
      return null;
    }
    const having = this.sources.filter(({ columns }) => columns.includes(first));
    const [left, ...others] = having; // of USING it is the left one's
    if (left === undefined) {
      this.unclear ||= qualified !== undefined; // the whole row
      return null;
    }
    this.unclear ||= others.length > 0 && !this.using.includes(first);
    return nameIn(left, first);
  }
}
