/** SQL by which other engines read the chunks of a stream as they lie: a view with the usual columns. */
import type { StreamSchema } from "../../protocol/schema/streams.ts";
import {
  emptySelect,
  identifier,
  literal,
  logicalColumns,
} from "../../protocol/schema/table_sql.ts";
import { DIALECTS, PARTITION_NAMES } from "./dialects.ts";
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
  const ofPath = (name: string) => `regexp_extract("${FILE}", '/${name}=([^/]*)/', 1) AS "${name}"`;
  const columns = [
    logicalColumns(schema, "").replace("CAST('' AS VARCHAR) AS \"region\"", ofPath("region")),
    ...FOLDERS.map(ofPath),
  ].join(", ");
  return `CREATE OR REPLACE VIEW ${identifier(stream)} AS
  SELECT ${columns}
  FROM (${emptySelect([...schema.physical, { name: FILE, type: "VARCHAR" }])}
    UNION ALL BY NAME SELECT * FROM ${files});`;
}

/** The path of a row's chunk. */
const FILE = "logvend_file";

/** Further columns of the path: conditions on them leave files closed, as those on `ts` cannot. */
const FOLDERS = PARTITION_NAMES.filter((name) => name !== "region");

/** Columns that are rebuilt from others, which only DuckDB's view does. */
const REBUILT: ReadonlySet<string> = new Set(["line", "line_bytes"]);

function otherView(dialect: Dialect, { stream, schema, location }: ViewRequest): string {
  const table = dialect.files({
    stream,
    location: `${location}/stream=${stream}`,
    columns: schema.physical.map(({ name, type }) => ({ name, type: dialect.types[type] ?? type })),
  });
  const shown = schema.logical.filter(({ name }) => !REBUILT.has(name))
    .map(({ name }) => `${expression(dialect, name)} AS ${dialect.identifier(name)}`);
  const folders = FOLDERS.map((name) =>
    `${dialect.partitions[name]} AS ${dialect.identifier(name)}`
  );
  return `${table.statements}${dialect.createView(stream)} AS
SELECT
  ${[...shown, ...folders].join(",\n  ")}
FROM ${table.from}${dialect.settings};`;
}

function expression(dialect: Dialect, name: string): string {
  if (name === "region") return dialect.partitions.region;
  if (name === "time_local") return dialect.identifier("ts");
  const ms = dialect.identifier("request_time_ms");
  // A DOUBLE: divided by 1000.0, a DECIMAL of one digit, Trino and Athena round to tenths of a second.
  return name === "request_time" ? `${ms} / 1000e0` : dialect.identifier(name);
}
