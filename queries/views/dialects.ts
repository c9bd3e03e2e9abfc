/** What the engines that read Parquet call things. */
import type { Column } from "../../protocol/wire/messages.ts";
import { literal } from "../../protocol/schema/table_sql.ts";

export type DialectName = "clickhouse" | "trino" | "athena" | "spark";

/** The files of a stream. */
export interface FilesRequest {
  stream: string;
  location: string;
  /** With the engine's types. */
  columns: readonly Column[];
}

export interface Dialect {
  /** By DuckDB's. */
  types: Readonly<Record<string, string>>;
  identifier(name: string): string;
  createView(name: string): string;
  /** What a chunk's path says of its rows, by the name of the column: conditions on these skip files. */
  partitions: Readonly<Record<Partition, string>>;
  /** What follows a SELECT that reads the files; empty: nothing. */
  settings: string;
  /** What makes the files a table, and what to select from. */
  files(request: FilesRequest): { statements: string; from: string };
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const backticked = (name: string) => `\`${name.replaceAll("`", "``")}\``;

/** Columns as a list, one a line. */
function list(columns: readonly Column[], identifier: (name: string) => string): string {
  return columns.map(({ name, type }) => `  ${identifier(name)} ${type}`).join(",\n");
}

/** The table under a view. */
function chunksOf(stream: string): string {
  return `${stream}_chunks`;
}

/** Columns that are in the paths alone. */
export const PARTITION_NAMES = ["region", "date", "hour"] as const;

type Partition = typeof PARTITION_NAMES[number];

const PARTITIONS: readonly Column[] = PARTITION_NAMES.map((name) => ({ name, type: "string" }));

/** As columns of the table. */
function partitionsBy(expression: (name: string) => string): Record<Partition, string> {
  return {
    region: expression("region"),
    date: expression("date"),
    hour: expression("hour"),
  };
}

/** No type of Hive's differs between the engines that use it. */
const HIVE_TYPES = {
  VARCHAR: "string",
  TIMESTAMP: "timestamp",
  INTEGER: "int",
  BIGINT: "bigint",
  SMALLINT: "smallint",
  DOUBLE: "double",
  BOOLEAN: "boolean",
  BLOB: "binary",
};

const nullable = (type: string) => `Nullable(${type})`;

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  clickhouse: {
    types: {
      VARCHAR: nullable("String"),
      TIMESTAMP: nullable("DateTime64(6, 'UTC')"),
      INTEGER: nullable("Int32"),
      BIGINT: nullable("Int64"),
      SMALLINT: nullable("Int16"),
      DOUBLE: nullable("Float64"),
      BOOLEAN: nullable("Bool"),
      BLOB: nullable("String"),
    },
    identifier: backticked,
    createView: (name) => `CREATE OR REPLACE VIEW ${backticked(name)}`,
    partitions: partitionsBy((name) => `extract(_path, '/${name}=([^/]*)/')`),
    // From 25.1 on it takes columns from the path: then it wants these in the structure, and rejects
    // would have the path's stream in place of their own.
    settings: "\nSETTINGS use_hive_partitioning = 0",
    files({ location, columns }) {
      const url = /^https?:/.test(location) ? "s3" : "file";
      const structure = list(columns, backticked);
      const files = `${url}(${literal(`${location}/**.parquet`)}, 'Parquet',\n`;
      return { statements: "", from: `${files}${literal(structure)})` };
    },
  },
  trino: {
    types: {
      VARCHAR: "varchar",
      TIMESTAMP: "timestamp(3)", // the Hive connector takes its own precision only, and this is the default
      INTEGER: "integer",
      BIGINT: "bigint",
      SMALLINT: "smallint",
      DOUBLE: "double",
      BOOLEAN: "boolean",
      BLOB: "varbinary",
    },
    identifier: quoted,
    createView: (name) => `CREATE OR REPLACE VIEW ${quoted(name)}`,
    partitions: partitionsBy(quoted),
    settings: "",
    files({ stream, location, columns }) {
      const partitions = PARTITIONS.map(({ name }) => ({ name, type: "varchar" }));
      const table = quoted(chunksOf(stream));
      const statements = `CREATE TABLE IF NOT EXISTS ${table} (
${list([...columns, ...partitions], quoted)}
) WITH (
  external_location = ${literal(location)},
  format = 'PARQUET',
  partitioned_by = ARRAY['region', 'date', 'hour']
);
CALL system.sync_partition_metadata(CURRENT_SCHEMA, ${literal(chunksOf(stream))}, 'ADD');
`;
      return { statements, from: table };
    },
  },
  athena: {
    types: HIVE_TYPES,
    identifier: quoted,
    createView: (name) => `CREATE OR REPLACE VIEW ${quoted(name)}`,
    partitions: partitionsBy(quoted),
    settings: "",
    files({ stream, location, columns }) {
      const statements = `CREATE EXTERNAL TABLE IF NOT EXISTS ${backticked(chunksOf(stream))} (
${list(columns, backticked)}
) PARTITIONED BY (
${list(PARTITIONS, backticked)}
) STORED AS PARQUET
LOCATION ${literal(`${location}/`)}
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.region.type' = 'injected',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = ${
        literal(`${location}/region=\${region}/date=\${date}/hour=\${hour}/`)
      }
);
`;
      return { statements, from: quoted(chunksOf(stream)) };
    },
  },
  spark: {
    types: HIVE_TYPES,
    identifier: backticked,
    createView: (name) => `CREATE OR REPLACE VIEW ${backticked(name)}`,
    partitions: partitionsBy(backticked),
    settings: "",
    files({ stream, location, columns }) {
      const table = backticked(chunksOf(stream));
      const statements = `CREATE TABLE IF NOT EXISTS ${table} (
${list([...columns, ...PARTITIONS], backticked)}
) USING parquet
PARTITIONED BY (region, date, hour)
LOCATION ${literal(location)};
MSCK REPAIR TABLE ${table};
`;
      return { statements, from: table };
    },
  },
};
