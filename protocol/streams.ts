/**
 * The tables of SQL: what users see (logical columns) and what Parquet files hold (physical).
 * Files differ between versions: readers take columns by name, an absent one is NULL.
 */
import type { Column } from "./messages.ts";

/** Written into every part and chunk; raised when the meaning of a physical column changes. */
export const SCHEMA_VERSION = 1;

/** The table of lines that no format could read; every host has it. */
export const REJECTS = "rejects";

/** The table that says what became of the lines that were read; every host has it. */
export const ACCOUNTING = "accounting";

/** Shows what was destroyed before it was read. */
export const GAPS_SQL = `SELECT * FROM ${ACCOUNTING} WHERE outcome = 'gap'`;

/** Tables that are no streams: every host has them, and no stream may be called like them. */
export const HOST_TABLES: readonly string[] = [REJECTS, ACCOUNTING];

/** The columns of a stream, and the expressions that turn files into the table users see. */
export interface StreamSchema {
  physical: readonly Column[];
  logical: readonly Column[];
  /** SQL over physical columns, by logical column; absent: the physical column of that name. */
  expressions: Readonly<Record<string, string>>;
}

/** Ends the layout of rows whose line a rule changed: their length is still that of the original. */
const REDACTED = "+redacted";

/** The layout of such a row; null: its line is in `line_text`. */
export function redactedLayout(layout: string | null): string {
  return `${layout ?? "text"}${REDACTED}`;
}

/** SQL over physical columns: whether a rule changed the line. */
export const IS_REDACTED = `coalesce(ends_with(layout, '${REDACTED}'), false)`;

/**
 * Lines are not stored: `layout` says how their columns make them up again. The ingest tries that
 * on every line before it leaves the line out; a line that comes out otherwise is kept in
 * `line_text`, and in `line_raw` too when it is no valid UTF-8.
 */
const LOCAL_TIME = `strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S')`;
const ZONE = `format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60)`;
const COMMON = `concat(remote_addr, ' - ', remote_user, ' [', ${LOCAL_TIME}, ' ', ${ZONE}, '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-'))`;
const COMBINED = `concat(${COMMON}, ' "', http_referer, '" "', http_user_agent, '"')`;
const JSON_LINE = `concat('{"remote_addr":"', remote_addr, '","remote_user":"', remote_user,
    '","time_local":"', strftime(ts, '%Y-%m-%dT%H:%M:%S'), '","http_method":"', http_method,
    '","request":"', request, '","http_version":"', http_version, '","status":', status,
    ',"body_bytes_sent":', body_bytes_sent, ',"http_referer":"', http_referer,
    '","http_user_agent":"', http_user_agent, '"}')`;
const LINE = `coalesce(line_text, CASE split_part(layout, '${REDACTED}', 1)
    WHEN 'common' THEN ${COMMON}
    WHEN 'combined' THEN ${COMBINED}
    WHEN 'combined_time' THEN concat(${COMBINED}, ' ',
      format('{:d}.{:03d}', request_time_ms // 1000, request_time_ms % 1000))
    WHEN 'json' THEN ${JSON_LINE}
  END)`;

/** Access logs, with nginx's names. */
export const ACCESS: StreamSchema = {
  physical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "remote_addr", type: "VARCHAR" },
    { name: "remote_user", type: "VARCHAR" },
    { name: "http_method", type: "VARCHAR" },
    { name: "request", type: "VARCHAR" },
    { name: "http_version", type: "VARCHAR" },
    { name: "status", type: "INTEGER" },
    { name: "body_bytes_sent", type: "BIGINT" },
    { name: "http_referer", type: "VARCHAR" },
    { name: "http_user_agent", type: "VARCHAR" },
    { name: "request_time_ms", type: "INTEGER" },
    { name: "time_zone_min", type: "SMALLINT" },
    { name: "layout", type: "VARCHAR" },
    { name: "line_text", type: "VARCHAR" },
    { name: "line_raw", type: "BLOB" },
    { name: "host", type: "VARCHAR" },
    { name: "generation", type: "VARCHAR" },
    { name: "line_offset", type: "BIGINT" },
    { name: "line_length", type: "INTEGER" },
  ],
  logical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "time_local", type: "TIMESTAMP" },
    { name: "remote_addr", type: "VARCHAR" },
    { name: "remote_user", type: "VARCHAR" },
    { name: "http_method", type: "VARCHAR" },
    { name: "request", type: "VARCHAR" },
    { name: "http_version", type: "VARCHAR" },
    { name: "status", type: "INTEGER" },
    { name: "body_bytes_sent", type: "BIGINT" },
    { name: "http_referer", type: "VARCHAR" },
    { name: "http_user_agent", type: "VARCHAR" },
    { name: "request_time", type: "DOUBLE" },
    { name: "host", type: "VARCHAR" },
    { name: "region", type: "VARCHAR" },
    { name: "line", type: "VARCHAR" },
    { name: "line_bytes", type: "BLOB" },
  ],
  expressions: {
    time_local: "ts",
    request_time: "request_time_ms / 1000.0::DOUBLE",
    line: LINE,
    line_bytes: `coalesce(line_raw, encode(${LINE}))`,
  },
};

/** Lines that no format could read. */
export const REJECTS_SCHEMA: StreamSchema = {
  physical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "stream", type: "VARCHAR" },
    { name: "file", type: "VARCHAR" },
    { name: "reason", type: "VARCHAR" },
    { name: "length", type: "BIGINT" },
    { name: "line", type: "BLOB" },
    { name: "host", type: "VARCHAR" },
    { name: "generation", type: "VARCHAR" },
    { name: "line_offset", type: "BIGINT" },
  ],
  logical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "stream", type: "VARCHAR" },
    { name: "host", type: "VARCHAR" },
    { name: "region", type: "VARCHAR" },
    { name: "file", type: "VARCHAR" },
    { name: "generation", type: "VARCHAR" },
    { name: "line_offset", type: "BIGINT" },
    { name: "reason", type: "VARCHAR" },
    { name: "length", type: "BIGINT" },
    { name: "line", type: "BLOB" },
  ],
  expressions: {},
};

/**
 * Lines and bytes by file generation, hour and outcome: stored, rejected, dropped; of a gap the
 * bytes that were destroyed unread, in the hour in which that was seen.
 */
const ACCOUNTING_SCHEMA: StreamSchema = {
  physical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "stream", type: "VARCHAR" },
    { name: "host", type: "VARCHAR" },
    { name: "file", type: "VARCHAR" },
    { name: "generation", type: "VARCHAR" },
    { name: "outcome", type: "VARCHAR" },
    { name: "reason", type: "VARCHAR" },
    { name: "lines", type: "BIGINT" },
    { name: "bytes", type: "BIGINT" },
  ],
  logical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "hour", type: "TIMESTAMP" },
    { name: "stream", type: "VARCHAR" },
    { name: "host", type: "VARCHAR" },
    { name: "region", type: "VARCHAR" },
    { name: "file", type: "VARCHAR" },
    { name: "generation", type: "VARCHAR" },
    { name: "outcome", type: "VARCHAR" },
    { name: "reason", type: "VARCHAR" },
    { name: "lines", type: "BIGINT" },
    { name: "bytes", type: "BIGINT" },
  ],
  expressions: { hour: "ts" },
};

/** Columns that `*` leaves out: they are there for SQL that names them. */
const HIDDEN: ReadonlySet<string> = new Set(["line_bytes"]);

/** The columns of a table for SQL in which these strings, in lower case, occur. */
export function shownColumns(stream: string, strings: ReadonlySet<string>): readonly Column[] {
  return schemaOf(stream).logical.filter(({ name }) => !HIDDEN.has(name) || strings.has(name));
}

/** The schema of a table by its name. */
export function schemaOf(stream: string): StreamSchema {
  switch (stream) {
    case REJECTS:
      return REJECTS_SCHEMA;
    case ACCOUNTING:
      return ACCOUNTING_SCHEMA;
    default:
      return ACCESS;
  }
}

/** A table as SQL sees it. */
export interface TableSource {
  /** Absolute paths, or paths from the reader's working folder; none gives an empty table. */
  files: readonly string[];
  region: string;
  /** Half-open, UTC, ISO 8601; null is unbounded. */
  since: string | null;
  until: string | null;
  /** Only these logical columns, in any order. @default all of them */
  columns?: readonly string[];
}

/** The SELECT that shows files as the table `stream`: typed, in order, cut to the range. */
export function tableSelect(stream: string, source: TableSource): string {
  const { physical, logical: all } = schemaOf(stream);
  const logical = all.filter(({ name }) => source.columns?.includes(name) ?? true);
  if (source.files.length === 0) {
    const nulls = logical.map((column) => `NULL::${column.type} AS ${column.name}`);
    return `SELECT ${nulls.join(", ")} WHERE false`;
  }
  // A first, empty branch with every column: files of older versions may lack some.
  const typed = physical.map((column) => `NULL::${column.type} AS ${column.name}`);
  const bounds = [
    source.since === null ? "" : ` AND ts >= ${literal(timestamp(source.since))}::TIMESTAMP`,
    source.until === null ? "" : ` AND ts < ${literal(timestamp(source.until))}::TIMESTAMP`,
  ].join("");
  return `SELECT ${logicalColumns(stream, source.region, logical)} FROM (
    SELECT ${typed.join(", ")} WHERE false
    UNION ALL BY NAME SELECT * FROM ${parquetFiles(source.files)}
  ) WHERE true${bounds}`;
}

/** The logical columns of a stream as a list of SQL expressions over its physical columns. */
export function logicalColumns(
  stream: string,
  region: string,
  columns: readonly Column[] = schemaOf(stream).logical,
): string {
  const { expressions } = schemaOf(stream);
  return columns.map(({ name, type }) => {
    const expression = name === "region" ? literal(region) : expressions[name] ?? name;
    return `CAST(${expression} AS ${type}) AS ${name}`;
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

/** A text as an SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An ISO 8601 UTC instant as DuckDB's TIMESTAMP text. */
export function timestamp(iso: string): string {
  return iso.replace("T", " ").replace(/Z$/, "");
}
