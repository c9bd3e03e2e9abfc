/** The catalog as SQL sees it: which tables and columns there are, in the shapes of DuckDB's own. */
import type { Column, Table } from "../protocol/wire/messages.ts";
import { emptySelect, identifier, literal } from "../protocol/schema/table_sql.ts";
import type { BaseTable } from "./ast_nodes.ts";

type Cell = string | number | null;

/** Rows that are known without reading any log. */
export interface Relation {
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
}

/** Where every table is, for tools that want to know. */
const PLACE = ["logvend", "main"];

const text = (name: string): Column => ({ name, type: "VARCHAR" });

/** Those columns of DuckDB's information_schema that say something here, in its order. */
const VIEWS: Readonly<Record<string, (tables: readonly Table[]) => Relation>> = {
  "information_schema.columns": (tables) => ({
    columns: [
      ...["table_catalog", "table_schema", "table_name", "column_name"].map(text),
      { name: "ordinal_position", type: "INTEGER" },
      ...["column_default", "is_nullable", "data_type"].map(text),
    ],
    rows: tables.flatMap(({ name: table, columns }) =>
      columns.map(({ name, type }, i) => [...PLACE, table, name, i + 1, null, "YES", type])
    ),
  }),
  "information_schema.tables": (tables) => ({
    columns: ["table_catalog", "table_schema", "table_name", "table_type"].map(text),
    rows: tables.map(({ name }) => [...PLACE, name, "BASE TABLE"]),
  }),
};

/** The views of the catalog that SQL may name. */
export const CATALOG_VIEWS: readonly string[] = Object.keys(VIEWS);

/** `information_schema.columns` for a table that is named so, in any case; null for all else. */
export function qualifiedName({ schema_name, catalog_name, table_name }: BaseTable): string | null {
  const isOfSchema = String(schema_name).toLowerCase() === "information_schema";
  return isOfSchema && catalog_name === ""
    ? `information_schema.${table_name.toLowerCase()}`
    : null;
}

/** What a view of the catalog holds; null for what is none. */
export function viewOf(name: string, tables: readonly Table[]): Relation | null {
  return Object.hasOwn(VIEWS, name) ? VIEWS[name]?.(tables) ?? null : null;
}

/** What SHOW TABLES gives. */
export function shownTables(tables: readonly Table[]): Relation {
  return { columns: [text("name")], rows: tables.map(({ name }) => [name]).sort() };
}

/** What DESCRIBE gives of a query with these columns. */
export function described(columns: readonly Column[]): Relation {
  return {
    columns: ["column_name", "column_type", "null", "key", "default", "extra"].map(text),
    rows: columns.map(({ name, type }) => [name, type, "YES", null, null, null]),
  };
}

/** The SELECT that gives a relation's rows, in order. */
export function relationSelect({ columns, rows }: Relation): string {
  if (rows.length === 0) return emptySelect(columns);
  const values = rows.map((row) => `(${row.map(cellSql).join(", ")})`);
  const list = columns.map(({ name, type }, i) => `CAST(c${i} AS ${type}) AS ${identifier(name)}`);
  const names = columns.map((_, i) => `c${i}`).join(", ");
  return `SELECT ${list.join(", ")} FROM (VALUES ${values.join(", ")}) AS cells(${names})`;
}

function cellSql(cell: Cell): string {
  if (cell === null) return "NULL";
  return typeof cell === "number" ? String(cell) : literal(cell);
}
