/** Stored files as the table that SQL sees. */
import type { LineSql } from "./line_texts.ts";
import type { Column } from "../wire/messages.ts";
import type { StreamSchema } from "./streams.ts";

/** A table as SQL sees it. */
export interface TableSource {
  /** Absolute paths, or paths from the reader's working folder; none gives an empty table. */
  files: readonly string[];
  region: string;
  /** Half-open, UTC, ISO 8601; null is unbounded. */
  since: string | null;
  until: string | null;
  /** Makes `line` of what builds it. @default as it is built */
  lineSql?: LineSql | null;
  /** Names of the physical columns that may be read. @default all */
  only?: readonly string[];
  /** Cast to these types; NULL where the schema has no such column. @default all that it has */
  columns?: readonly Column[];
}

/** The SELECT that shows files of a schema as one table: typed, in order, cut to the range. */
export function tableSelect(schema: StreamSchema, source: TableSource): string {
  const { files, region, since, until, lineSql, columns = schema.logical } = source;
  if (files.length === 0) return emptySelect(columns);
  const bounds = [
    since === null ? "" : ` AND ts >= ${literal(timestamp(since))}::TIMESTAMP`,
    until === null ? "" : ` AND ts < ${literal(timestamp(until))}::TIMESTAMP`,
  ].join("");
  return `SELECT ${logicalColumns(schema, region, columns, lineSql)} FROM (${
    physicalRows(schema, files, source.only)
  })
    WHERE true${bounds}`;
}

/** Names of the physical columns that some logical ones are made of; a few more may be among them. */
export function physicalNames(schema: StreamSchema, columns: readonly Column[]): Set<string> {
  const known = new Map(schema.logical.map(({ name }) => [name.toLowerCase(), name]));
  return new Set(columns.flatMap(({ name }) => {
    const own = known.get(name.toLowerCase());
    if (own === undefined || own === "region") return [];
    const expression = schema.expressions[own];
    if (expression === undefined) return [own];
    const words = new Set(expression.match(/\w+/g));
    return schema.physical.map((column) => column.name)
      .filter((column) => words.has(column) || !/^\w+$/.test(column));
  }));
}

/**
 * Rows of which only the number and the first and last `ts` are known (microseconds), as a table:
 * every one of them has one of these two times.
 */
export function countedSelect(
  counted: { rows: number; firstUs: number; lastUs: number },
  columns: readonly Column[],
): string {
  const ts = `make_timestamp(CASE range WHEN 0 THEN ${counted.firstUs} ELSE ${counted.lastUs} END)`;
  const list = columns.map(({ name, type }) =>
    `CAST(${name === "ts" ? ts : "NULL"} AS ${type}) AS ${identifier(name)}`
  );
  return `SELECT ${list.join(", ")} FROM range(${counted.rows})`;
}

/** The rows of files with all physical columns of a schema: files of older versions may lack some. */
export function physicalRows(
  schema: StreamSchema,
  files: readonly string[],
  only?: readonly string[],
): string {
  const list = only?.map(identifier).join(", ") ?? "*";
  return `${emptySelect(schema.physical)} UNION ALL BY NAME SELECT ${list} FROM ${
    parquetFiles(files)
  }`;
}

/** A SELECT with these columns and no row. */
export function emptySelect(columns: readonly Column[]): string {
  const nulls = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${identifier(name)}`);
  return `SELECT ${nulls.join(", ")} WHERE false`;
}

/** Logical columns of a schema as a list of SQL expressions over its physical columns. */
export function logicalColumns(
  schema: StreamSchema,
  region: string,
  columns: readonly Column[] = schema.logical,
  lineSql: LineSql | null = null,
): string {
  // Other hosts may have a column in other capitals.
  const known = new Map(schema.logical.map(({ name }) => [name.toLowerCase(), name]));
  return columns.map(({ name, type }) => {
    const own = known.get(name.toLowerCase());
    const expression = name === "region"
      ? literal(region)
      : own === undefined
      ? "NULL"
      : (type === "VARCHAR" ? schema.texts[own] : undefined) ?? schema.expressions[own] ??
        identifier(own);
    const value = own === "line" && lineSql !== null ? lineSql(expression) : expression;
    return `CAST(${value} AS ${type}) AS ${identifier(name)}`;
  }).join(", ");
}

/**
 * Parquet files as SQL reads them, in this order: columns by name, and none from `stream=logs` and
 * the like in a path, which would hide the file's own.
 */
export function parquetFiles(paths: readonly string[]): string {
  const list = paths.map(literal).join(", ");
  return `read_parquet([${list}], union_by_name = true, hive_partitioning = false)`;
}

/** A name as an SQL identifier, quoted. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An ISO 8601 UTC instant as DuckDB's TIMESTAMP text. */
export function timestamp(iso: string): string {
  return iso.replace("T", " ").replace(/Z$/, "");
}
