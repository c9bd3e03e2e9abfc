/** SQL by which other engines read the chunks of a stream as they lie: a view with the usual columns. */
import type { Column } from "../../protocol/wire/messages.ts";
import type { StreamSchema } from "../../protocol/schema/streams.ts";
import {
  emptySelect,
  identifier,
  literal,
  logicalColumns,
} from "../../protocol/schema/table_sql.ts";
import { DIALECTS } from "./dialects.ts";
import type { Dialect, DialectName } from "./dialects.ts";

export type EngineName = "duckdb" | DialectName;

/** Engines that views are made for. */
export const ENGINES: readonly EngineName[] = ["duckdb", ...Object.keys(DIALECTS) as DialectName[]];

export interface ViewRequest {
  /** The name of the view. */
  stream: string;
  schema: StreamSchema;
  /** The folder or URL that `stream=…` lies in. */
  location: string;
}

/** The statements, each with a semicolon at its end. */
export function viewSql(engine: EngineName, request: ViewRequest): string {
  return engine === "duckdb" ? duckdbView(request) : otherView(DIALECTS[engine], request);
}

/** All columns, lines too. */
function duckdbView({ stream, schema, location }: ViewRequest): string {
  const files = `read_parquet(${literal(`${location}/stream=${stream}/**/*.parquet`)},
      union_by_name = true, hive_partitioning = false, filename = '${FILE}')`;
  const columns = logicalColumns(schema, "").replace(
    "CAST('' AS VARCHAR) AS \"region\"",
    `regexp_extract("${FILE}", '/region=([^/]*)/', 1) AS "region"`,
  );
  return `CREATE OR REPLACE VIEW ${identifier(stream)} AS
  SELECT ${columns}
  FROM (${emptySelect([...schema.physical, { name: FILE, type: "VARCHAR" }])}
    UNION ALL BY NAME SELECT * FROM ${files});`;
}

/** The path of a row's chunk. */
const FILE = "logvend_file";

/** Columns that are rebuilt from others, which only DuckDB's view does. */
const REBUILT: ReadonlySet<string> = new Set(["line", "line_bytes"]);

function otherView(dialect: Dialect, { stream, schema, location }: ViewRequest): string {
  const table = dialect.files({
    stream,
    location: `${location}/stream=${stream}`,
    columns: schema.physical.map(({ name, type }) => ({ name, type: dialect.types[type] ?? type })),
  });
  const shown = schema.logical.filter(({ name }) => !REBUILT.has(name))
    .map((column) => `${expression(dialect, column)} AS ${dialect.identifier(column.name)}`);
  return `${table.statements}${dialect.createView(stream)} AS
SELECT
  ${shown.join(",\n  ")}
FROM ${table.from};`;
}

function expression(dialect: Dialect, { name }: Column): string {
  if (name === "region") return dialect.region;
  if (name === "time_local") return dialect.identifier("ts");
  const ms = dialect.identifier("request_time_ms");
  return name === "request_time" ? `${ms} / 1000.0` : dialect.identifier(name);
}
