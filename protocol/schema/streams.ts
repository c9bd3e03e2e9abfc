/**
 * The tables of SQL: what users see (logical columns) and what Parquet files hold (physical).
 * Files differ between versions: readers take columns by name, an absent one is NULL.
 */
import { layoutSql, numberKinds, valueSql } from "./layout.ts";
import type { Column, Table } from "../wire/messages.ts";
import { ACCESS_SHAPE, uniteColumns } from "./stream_shape.ts";
import type { StreamShape } from "./stream_shape.ts";
import { identifier, literal } from "./table_sql.ts";

/** Written into every part and chunk; raised when the meaning of a physical column changes. */
export const SCHEMA_VERSION = 1;

/** The table of lines that no format could read; every host has it. */
export const REJECTS = "rejects";

/** The table that says what became of the lines that were read; every host has it. */
export const ACCOUNTING = "accounting";

/** The table of the queries that a host was asked; every host has it. */
export const QUERY_LOG = "query_log";

/** Shows what was destroyed before it was read. */
export const GAPS_SQL = `SELECT * FROM ${ACCOUNTING} WHERE outcome = 'gap'`;

/** Tables that are no streams: every host has them, and no stream may be called like them. */
export const HOST_TABLES: readonly string[] = [REJECTS, ACCOUNTING, QUERY_LOG];

/** Those of them that are in no files: they are made for one query. */
export const MADE_TABLES: readonly string[] = [ACCOUNTING, QUERY_LOG];

/** The columns of a stream, and the expressions that turn files into the table users see. */
export interface StreamSchema {
  physical: readonly Column[];
  logical: readonly Column[];
  /** SQL over physical columns, by logical column; absent: the physical column of that name. */
  expressions: Readonly<Record<string, string>>;
  /** The same where a column is asked for as VARCHAR: numbers are written as their lines have them. */
  texts: Readonly<Record<string, string>>;
}

/** Ends the layout of rows whose line a rule changed: their length is still that of the original. */
const REDACTED = "+redacted";

/** The layout of such a row; null: its line is in `line_text`. */
export function redactedLayout(layout: string | null): string {
  return `${layout ?? "text"}${REDACTED}`;
}

/** SQL over physical columns: whether a rule changed the line. */
export const IS_REDACTED = `coalesce(ends_with(layout, '${REDACTED}'), false)`;

/** SQL over physical columns: the layout, whether a rule changed the line or not. */
export const LAYOUT = `if(${IS_REDACTED}, left(layout, -${REDACTED.length}), layout)`;

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
const ACCESS_LINES = `
    WHEN 'common' THEN ${COMMON}
    WHEN 'combined' THEN ${COMBINED}
    WHEN 'combined_time' THEN concat(${COMBINED}, ' ',
      format('{:d}.{:03d}', request_time_ms // 1000, request_time_ms % 1000))
    WHEN 'json' THEN ${JSON_LINE}`;

/** The line as SQL. @param cases `WHEN layout THEN text`, for the layouts that there are */
function lineOf(cases: string): string {
  return cases === "" ? "line_text" : `coalesce(line_text, CASE ${LAYOUT}${cases} END)`;
}

/**
 * Columns that hold a number, or a text that was a number before the column became wider, as texts.
 * Of lines that are kept whole a number reads as DuckDB writes it, but for a `.0` that the line lacks.
 */
function textsOf(fields: readonly Column[], layouts: readonly string[]): Record<string, string> {
  const kinds = layouts.map((layout) => [layout, numberKinds(layout)] as const);
  return Object.fromEntries(fields.flatMap(({ name, type }) => {
    if (type !== "VARCHAR" && type !== "DOUBLE") return [];
    const cases = kinds.flatMap(([layout, of]) => {
      const kind = of.get(name.toLowerCase());
      return kind === undefined ? [] : [`WHEN ${literal(layout)} THEN ${valueSql([name, kind])}`];
    });
    if (cases.length === 0) return [];
    const text = `${identifier(name)}::VARCHAR`;
    const isShorter = `${isWholeNumber(text)} AND NOT contains(line_text, ${text})`;
    const ofWhole = `if(${isShorter}, left(${text}, -2), ${text})`;
    return [[name, `CASE ${LAYOUT} ${cases.join(" ")} ELSE ${ofWhole} END`]];
  }));
}

/** Whether a text is a whole number as DuckDB writes a DOUBLE. @param text SQL */
export function isWholeNumber(text: string): string {
  return `(ends_with(${text}, '.0') AND regexp_full_match(${text}, '-?\\d+\\.0'))`;
}

/** What every row of a stream has, before the columns of its own and behind them. */
const FIRST: readonly Column[] = [{ name: "ts", type: "TIMESTAMP" }];
const LAST: readonly Column[] = [
  { name: "time_zone_min", type: "SMALLINT" },
  { name: "layout", type: "VARCHAR" },
  { name: "line_text", type: "VARCHAR" },
  { name: "line_raw", type: "BLOB" },
  { name: "host", type: "VARCHAR" },
  { name: "generation", type: "VARCHAR" },
  { name: "line_offset", type: "BIGINT" },
  { name: "line_length", type: "INTEGER" },
];

/** Behind the columns of its own, as users see it. */
const SHOWN_LAST: readonly Column[] = [
  { name: "host", type: "VARCHAR" },
  { name: "region", type: "VARCHAR" },
  { name: "line", type: "VARCHAR" },
  { name: "line_bytes", type: "BLOB" },
];

/** What those of access logs have, with nginx's names. */
const ACCESS_FIELDS: readonly Column[] = [
  { name: "remote_addr", type: "VARCHAR" },
  { name: "remote_user", type: "VARCHAR" },
  { name: "http_method", type: "VARCHAR" },
  { name: "request", type: "VARCHAR" },
  { name: "http_version", type: "VARCHAR" },
  { name: "status", type: "INTEGER" },
  { name: "body_bytes_sent", type: "BIGINT" },
  { name: "http_referer", type: "VARCHAR" },
  { name: "http_user_agent", type: "VARCHAR" },
];

/** The columns of a stream, from the shape that its rows have. */
export function streamSchema({ access, fields, layouts }: StreamShape): StreamSchema {
  const names = new Set(access ? [...ACCESS_FIELDS, ...FIRST].map(({ name }) => name) : []);
  const both = fields.filter(({ name }) => names.has(name.toLowerCase()));
  const own = access ? uniteColumns([ACCESS_FIELDS, both]) : [];
  const more = fields.filter(({ name }) => !names.has(name.toLowerCase()));
  const cases = layouts.map((layout) => ` WHEN ${literal(layout)} THEN ${layoutSql(layout)}`);
  const line = lineOf((access ? ACCESS_LINES : "") + cases.join(""));
  return {
    physical: [
      ...FIRST,
      ...own,
      ...(access ? [{ name: "request_time_ms", type: "INTEGER" }] : []),
      ...more,
      ...LAST,
    ],
    logical: [
      ...FIRST,
      ...(access ? [{ name: "time_local", type: "TIMESTAMP" }] : []),
      ...own,
      ...(access ? [{ name: "request_time", type: "DOUBLE" }] : []),
      ...more,
      ...SHOWN_LAST,
    ],
    expressions: {
      ...(access ? { time_local: "ts", request_time: "request_time_ms / 1000.0::DOUBLE" } : {}),
      line,
      line_bytes: `coalesce(line_raw, encode(${line}))`,
    },
    texts: textsOf(fields, layouts),
  };
}

/** Access logs, with nginx's names. */
export const ACCESS: StreamSchema = streamSchema(ACCESS_SHAPE);

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
  texts: {},
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
  texts: {},
};

/** What a query took of the host. */
const QUERY_COSTS: readonly Column[] = [
  { name: "rows_shipped", type: "BIGINT" },
  { name: "bytes_shipped", type: "BIGINT" },
  { name: "chunks", type: "BIGINT" },
  { name: "rows_scanned", type: "BIGINT" },
  { name: "bytes_read", type: "BIGINT" },
  { name: "sql_ms", type: "DOUBLE" },
  { name: "total_ms", type: "DOUBLE" },
];

/** Queries of the fleet that the host accepted, at the time they came. */
const QUERY_LOG_SCHEMA: StreamSchema = {
  physical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "query_id", type: "VARCHAR" },
    { name: "operator", type: "VARCHAR" },
    { name: "selector", type: "VARCHAR" },
    { name: "sql", type: "VARCHAR" },
    { name: "host", type: "VARCHAR" },
    { name: "state", type: "VARCHAR" },
    { name: "error", type: "VARCHAR" },
    ...QUERY_COSTS,
  ],
  logical: [
    { name: "ts", type: "TIMESTAMP" },
    { name: "query_id", type: "VARCHAR" },
    { name: "operator", type: "VARCHAR" },
    { name: "selector", type: "VARCHAR" },
    { name: "sql", type: "VARCHAR" },
    { name: "host", type: "VARCHAR" },
    { name: "region", type: "VARCHAR" },
    { name: "state", type: "VARCHAR" },
    { name: "error", type: "VARCHAR" },
    ...QUERY_COSTS,
  ],
  expressions: {},
  texts: {},
};

/** Columns that `*` leaves out: they are there for SQL that names them. */
const HIDDEN: ReadonlySet<string> = new Set(["line_bytes"]);

/** The columns for SQL in which these strings, in lower case, occur. */
export function shownColumns(
  columns: readonly Column[],
  strings: ReadonlySet<string>,
): readonly Column[] {
  return columns.filter(({ name }) => !HIDDEN.has(name) || strings.has(name.toLowerCase()));
}

/** The tables of a host that has these streams. */
export function tablesOf(
  streams: readonly string[],
  shapeOf: (stream: string) => StreamShape,
): Table[] {
  return [...streams, ...HOST_TABLES].map((name) => {
    return { name, columns: [...schemaOf(name, shapeOf(name)).logical] };
  });
}

/** Columns of a table of several hosts: what every stream has stands last. */
export function inShownOrder(table: string, columns: readonly Column[]): Column[] {
  const isLast = ({ name }: Column) =>
    !HOST_TABLES.includes(table) && SHOWN_LAST.some((last) => last.name === name);
  return [...columns.filter((column) => !isLast(column)), ...columns.filter(isLast)];
}

/** The schema of a table by its name. @param shape of a stream's rows */
export function schemaOf(table: string, shape: StreamShape = ACCESS_SHAPE): StreamSchema {
  switch (table) {
    case REJECTS:
      return REJECTS_SCHEMA;
    case ACCOUNTING:
      return ACCOUNTING_SCHEMA;
    case QUERY_LOG:
      return QUERY_LOG_SCHEMA;
    default:
      return shape === ACCESS_SHAPE ? ACCESS : streamSchema(shape);
  }
}
