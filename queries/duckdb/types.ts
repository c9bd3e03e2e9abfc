/** DuckDB's column types and values, as our physical schemas use them. */
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  INTEGER,
  SMALLINT,
  TIMESTAMP,
  VARCHAR,
} from "@duckdb/node-api";
import { DuckDBBlobValue, DuckDBTimestampValue } from "@duckdb/node-api";
import type { DuckDBType, DuckDBValue } from "@duckdb/node-api";

export type { DuckDBType, DuckDBValue };

/** Rows of a DuckDB data chunk. */
export const CHUNK_ROWS = 2_048;

const TYPES: Readonly<Record<string, DuckDBType>> = {
  BIGINT,
  BLOB,
  BOOLEAN,
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

/** A TIMESTAMP, of microseconds since 1970. */
export function timestampValue(us: bigint): DuckDBValue {
  return new DuckDBTimestampValue(us);
}

/** A BLOB. */
export function blobValue(bytes: Uint8Array): DuckDBValue {
  return new DuckDBBlobValue(bytes);
}
