/** Turns a question about the catalog into one over its rows, which stand in the SQL itself. */
import type { Column, Table } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { baseTable, isBaseTable, isColumnRef, isNode, rewrite, walk } from "../ast_nodes.ts";
import type { AstNode, BaseTable, ColumnRef, QueryNode } from "../ast_nodes.ts";
import {
  CATALOG_VIEWS,
  described,
  qualifiedName,
  relationSelect,
  shownTables,
  viewOf,
} from "../catalog.ts";
import type { Relation } from "../catalog.ts";
import { stringsOf } from "./shape.ts";

/** What a query reads, by the names that it has for it. */
export type Relations = ReadonlyMap<string, Relation>;

/** A query over relations alone. */
export interface CatalogQuery {
  node: QueryNode;
  relations: Relations;
}

/**
 * Replaces SHOW, DESCRIBE and information_schema in a tree that the gate has let pass.
 * @param describe names and types of a query that stands behind DESCRIBE
 */
export async function catalogQuery(
  node: QueryNode,
  tables: readonly Table[],
  describe: (query: CatalogQuery) => Promise<readonly Column[]>,
): Promise<CatalogQuery> {
  const taken = stringsOf(node); // a name from WITH could hide a relation
  const free = (name: string): string => taken.has(name) ? free(`${name}_`) : name;
  const relations = new Map<string, Relation>();
  const shows = new Map<AstNode, string>();
  const replaced = (tree: QueryNode) =>
    rewrite(tree, (part) => {
      const show = shows.get(part);
      if (show !== undefined) return baseTable(show);
      if (isBaseTable(part)) return relationTable(part);
      return isColumnRef(part) ? unqualified(part) : undefined;
    });
  const relationTable = (table: BaseTable): BaseTable | undefined => {
    const view = qualifiedName(table);
    const relation = view === null ? null : viewOf(view, tables);
    if (view === null || relation === null) return undefined;
    const name = free(view);
    relations.set(name, relation);
    return { ...table, schema_name: "", table_name: name, alias: table.alias || table.table_name };
  };
  // Parents come first in a tree, and what they describe must be replaced before they are.
  const innermostFirst = [...walk(node)].filter(({ type }) => type === "SHOW_REF").reverse();
  for (const show of innermostFirst) {
    const name = free(`catalog ${shows.size}`);
    const query = isNode(show["query"]) ? replaced(show["query"] as QueryNode) : null; // all are
    const columns = query === null ? null : await describe({ node: query, relations });
    relations.set(name, columns === null ? shownTables(tables) : described(columns));
    shows.set(show, name);
  }
  return { node: replaced(node), relations };
}

/** `columns.table_name` for information_schema.columns.table_name: the relation has that alias. */
function unqualified(column: ColumnRef): ColumnRef | undefined {
  const [schema = "", table = "", ...rest] = column.column_names;
  if (rest.length === 0 || !CATALOG_VIEWS.includes(`${schema}.${table}`.toLowerCase())) {
    return undefined;
  }
  return { ...column, column_names: [table, ...rest] };
}

/** The same without rows, which is enough to find names and types. */
export function emptied(relations: Relations): Relations {
  return new Map([...relations].map(([name, { columns }]) => [name, { columns, rows: [] }]));
}

/** The text of a query, together with the rows that it reads. */
export function withRelations(sql: string, relations: Relations): string {
  if (relations.size === 0) return sql;
  const list = [...relations].map(([name, relation]) =>
    `${identifier(name)} AS (${relationSelect(relation)})`
  );
  return `WITH ${list.join(", ")} SELECT * FROM (${sql}) AS answer`;
}
