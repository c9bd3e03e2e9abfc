/** Reads through WITH and subqueries that only choose rows and columns: what is left can be split. */
import { conjunction, find, isBaseTable, isColumnRef, isNode, isSelect } from "../ast_nodes.ts";
import { named, rewrite, some, walk } from "../ast_nodes.ts";
import type { AstNode, AstValue, BaseTable, ColumnRef, Expression } from "../ast_nodes.ts";
import type { OrderModifier, QueryNode, SelectNode, TableRef } from "../ast_nodes.ts";
import { aggregates } from "./aggregate.ts";
import { isClass, isVolatile, singleTable } from "./shape.ts";
import { isObstacle } from "./shape.ts";

/** The columns of a table of the fleet, in lower case; null for another table. */
export type ColumnsOf = (table: string) => readonly string[] | null;

/** Names that WITH gives a meaning. */
type Ctes = ReadonlyMap<string, QueryNode>;

/**
 * The same query with every `SELECT … FROM (SELECT … FROM logs WHERE …)` as one SELECT over the
 * table, and without the parts of WITH that nothing needs any more.
 */
export function flattened(node: QueryNode, columnsOf: ColumnsOf): QueryNode {
  const named = walk(node).flatMap((part) => cteNames(part)).toArray();
  const isUsual = new Set(named).size === named.length && // one name, one meaning
    named.every((name) => columnsOf(name) === null) && !some(node, isVolatile);
  return isUsual ? withoutUnused(flattenedNode(node, new Map(), columnsOf)) : node;
}

function cteNames(part: AstNode): string[] {
  return "cte_map" in part
    ? (part as QueryNode).cte_map.map.map(({ key }) => key.toLowerCase())
    : [];
}

function flattenedNode(node: QueryNode, outer: Ctes, columnsOf: ColumnsOf): QueryNode {
  const ctes = new Map(outer);
  const map = node.cte_map.map.map(({ key, value }) => {
    const body = (value["query"] as AstNode)["node"] as QueryNode; // of every part of WITH
    const flat = flattenedNode(body, ctes, columnsOf);
    const { aliases } = value;
    if (Array.isArray(aliases) && aliases.length === 0) ctes.set(key.toLowerCase(), flat);
    return { key, value: { ...value, query: { ...value["query"] as AstNode, node: flat } } };
  });
  const inner = rewriteChildren(
    { ...node, cte_map: { map } },
    (child) => flattenedNode(child, ctes, columnsOf),
  );
  return isSelect(inner) ? merged(inner, ctes, columnsOf) : inner;
}

/** The node with `replace` applied to the query nodes right below it, but for those of WITH. */
function rewriteChildren(node: QueryNode, replace: (child: QueryNode) => QueryNode): QueryNode {
  const { cte_map: withClause, ...rest } = node;
  const children = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [
      key,
      rewrite(
        value as AstValue,
        (part) => "cte_map" in part ? replace(part as QueryNode) : undefined,
      ),
    ]),
  );
  return { ...node, ...children, cte_map: withClause };
}

/** `outer` over what its FROM reads, when that is a plain choice of rows and columns. */
function merged(outer: SelectNode, ctes: Ctes, columnsOf: ColumnsOf): SelectNode {
  const source = sourceOf(outer.from_table, ctes);
  if (source === null) return outer;
  const choice = choiceOf(source.inner, columnsOf);
  if (choice === null || outer.sample !== null) return outer;
  const hasStar = some(outer, (part) => {
    return isClass("STAR")(part) && (choice.columns !== null || part["relation_name"] !== "");
  });
  const isOpaque = hasStar || some(outer, isClass("POSITIONAL_REFERENCE", "LAMBDA"));
  const subquery = find(
    [outer.select_list, outer.where_clause, outer.having, outer.qualify],
    (part) => isClass("SUBQUERY")(part),
  );
  if (isOpaque || subquery !== undefined) return outer;
  return substituted(outer, source.name, choice);
}

/** The query that a FROM is nothing but, and the name that its columns may have in front. */
function sourceOf(from: TableRef, ctes: Ctes): { inner: QueryNode; name: string } | null {
  if (from.sample !== null) return null;
  const aliases = from["column_name_alias"];
  if (!Array.isArray(aliases) || aliases.length > 0) return null;
  if (isBaseTable(from)) {
    const inner = ctes.get(from.table_name.toLowerCase());
    return inner === undefined
      ? null
      : { inner, name: (from.alias || from.table_name).toLowerCase() };
  }
  const subquery = from.type === "SUBQUERY" ? from["subquery"] : null;
  if (!isNode(subquery ?? undefined)) return null;
  return { inner: (subquery as AstNode)["node"] as QueryNode, name: from.alias.toLowerCase() };
}

interface Choice {
  table: BaseTable;
  where: Expression | null;
  /** What a name of its list stands for; null: the list is `*`. */
  columns: ReadonlyMap<string, Expression> | null;
  /** Columns of the table. */
  own: readonly string[];
  qualifier: string;
}

/** A SELECT that only chooses: no groups, no order, no limit, nothing that looks at other rows. */
function choiceOf(inner: QueryNode, columnsOf: ColumnsOf): Choice | null {
  const single = singleTable(inner);
  if (isObstacle(single) || aggregates(single)) return null;
  const { select, qualifier } = single;
  const table = select.from_table as BaseTable; // of a single table
  const own = columnsOf(table.table_name);
  if (own === null || own.includes(qualifier) || select.modifiers.length > 0) return null;
  if (select.qualify !== null || some(select, isClass("WINDOW", "POSITIONAL_REFERENCE"))) {
    return null;
  }
  const isAll = select.select_list.length === 1 && isPlainStar(select.select_list[0]);
  if (!isAll && some(select, isClass("STAR", "LAMBDA"))) return null;
  const columns = isAll ? null : new Map<string, Expression>();
  const bound = { own, qualifier, columns: columns ?? new Map<string, Expression>() };
  if (columns !== null) {
    for (const item of select.select_list) {
      const name = item.alias !== ""
        ? item.alias
        : isColumnRef(item)
        ? item.column_names.at(-1)
        : "";
      const meaning = bind(item, bound);
      if (!name || meaning === null || columns.has(name.toLowerCase())) return null;
      columns.set(name.toLowerCase(), named(meaning, ""));
    }
  }
  const where = select.where_clause === null ? null : bind(select.where_clause, bound);
  if (select.where_clause !== null && where === null) return null;
  return { table, where, columns, own, qualifier };
}

function isPlainStar(item: Expression | undefined): boolean {
  const isEmpty = (list: AstValue | undefined) => Array.isArray(list) && list.length === 0;
  return item?.class === "STAR" && item["relation_name"] === "" && item["columns"] === false &&
    isEmpty(item["exclude_list"]) && isEmpty(item["replace_list"]) &&
    isEmpty(item["rename_list"]) && isEmpty(item["qualified_exclude_list"]);
}

/** An expression of the inner SELECT with its columns qualified; null when a name is no column. */
function bind(
  expression: Expression,
  { own, qualifier, columns }: Pick<Choice, "own" | "qualifier"> & {
    columns: ReadonlyMap<string, Expression>;
  },
): Expression | null {
  let isBound = true;
  const bound = rewrite(expression, (part) => {
    if (!isColumnRef(part)) return undefined;
    const [first = "", second, ...more] = part.column_names.map((name) => name.toLowerCase());
    const column = second === undefined ? first : first === qualifier ? second : "";
    if (more.length === 0 && own.includes(column)) {
      return { ...part, column_names: [qualifier, column] };
    }
    const meaning = second === undefined ? columns.get(first) : undefined;
    isBound &&= meaning !== undefined;
    return meaning === undefined ? undefined : named(meaning, part.alias);
  });
  return isBound ? bound : null;
}

function substituted(outer: SelectNode, name: string, choice: Choice): SelectNode {
  const { table, where, columns, own, qualifier } = choice;
  const aliases = new Map(outer.select_list.map((item) => [item.alias.toLowerCase(), item]));
  let isCertain = true;
  const meaningOf = (part: ColumnRef): Expression | undefined => {
    const [first = "", second, ...more] = part.column_names.map((word) => word.toLowerCase());
    const column = second === undefined ? first : first === name ? second : null;
    if (column === null || more.length > 0) {
      isCertain = false; // a field of a struct, or another table's
      return undefined;
    }
    const isColumn = columns === null ? own.includes(column) : columns.has(column);
    if (!isColumn) {
      isCertain &&= second === undefined && aliases.has(column);
      return undefined;
    }
    // An alias of the same name would mean the one here and the other there.
    const alias = aliases.get(column);
    isCertain &&= alias === undefined ||
      (isColumnRef(alias) && alias.column_names.at(-1)?.toLowerCase() === column);
    return columns === null ? { ...part, column_names: [qualifier, column] } : columns.get(column);
  };
  const put = <T extends AstValue>(value: T): T =>
    rewrite(value, (part) => {
      if (!isColumnRef(part)) return undefined;
      const meaning = meaningOf(part);
      return meaning === undefined ? undefined : named(meaning, part.alias);
    });
  const list = outer.select_list.map((item) => {
    const alias = item.alias === "" && isColumnRef(item)
      ? item.column_names.at(-1) ?? ""
      : item.alias;
    return named(put(item), alias);
  });
  const conditions = [where, put(outer.where_clause)].filter((condition) => condition !== null);
  const flat: SelectNode = {
    ...outer,
    from_table: table,
    select_list: list,
    where_clause: conjunction(conditions),
    group_expressions: put(outer.group_expressions),
    having: put(outer.having),
    qualify: put(outer.qualify),
    modifiers: put(outer.modifiers as OrderModifier[]),
  };
  return isCertain ? flat : outer;
}

/** Parts of WITH that nothing names any more are left out, so that one SELECT is left. */
function withoutUnused(node: QueryNode): QueryNode {
  const used = new Set(
    walk(node).filter(isBaseTable).map(({ table_name: name }) => name.toLowerCase()),
  );
  const map = node.cte_map.map.filter(({ key }) => used.has(key.toLowerCase()));
  if (map.length === node.cte_map.map.length) return node;
  return withoutUnused({ ...node, cte_map: { map } });
}
