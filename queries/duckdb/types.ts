/** DuckDB column types by the names that our physical schemas use. */
import { BIGINT, BLOB, DOUBLE, INTEGER, SMALLINT, TIMESTAMP, VARCHAR } from "@duckdb/node-api";
import type { DuckDBType } from "@duckdb/node-api";

const TYPES: Readonly<Record<string, DuckDBType>> = {
  BIGINT,
  BLOB,
  DOUBLE,
  INTEGER,
  SMALLINT,
  TIMESTAMP,
  VARCHAR,
};

/** The type of a physical column. @throws for a name that no schema uses */
export function duckdbType(name: string): DuckDBType {
  const type = TYPES[name];
  if (type === undefined) throw new Error(`No DuckDB type is mapped for ${name}`);
  return type;
}
