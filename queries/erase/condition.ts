/** Which rows of one chunk an erasure concerns: the SQL that says so, the same wherever it runs. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { StreamSchema } from "../../protocol/schema/streams.ts";
import { numberLayouts } from "../../protocol/schema/layout.ts";
import { REJECTS, REJECTS_SCHEMA, schemaOf } from "../../protocol/schema/streams.ts";
import {
  identifier,
  literal,
  logicalColumns,
  physicalRows,
} from "../../protocol/schema/table_sql.ts";
import { timestamp } from "../../protocol/schema/table_sql.ts";
import type { Plan } from "../plan/plan.ts";
import type { PlanRequest } from "../plan/planner.ts";
import type { ColumnTexts } from "../plan/reach.ts";
import { shapeOfColumns } from "../restore/file_shape.ts";

/** What an operator has signed to be erased. */
export interface Erased {
  stream: string;
  /** Half-open over ts: ISO 8601, UTC. */
  since: string;
  until: string;
  /** SQL over the stream's columns; empty: every row of the range. */
  where: string;
  /** Those that it names, as the fleet knows them: files may lack them, or have them narrower. */
  columns: readonly Column[];
  /** What now() and the like stand for: ISO 8601, UTC. */
  now: string;
}

/** A condition that was planned. */
export interface ErasedCondition {
  /** Gives `logvend_row`, of the view that is called like the stream. */
  sql: string;
  /** By column, texts one of which every row has that is meant. */
  values: ColumnTexts;
  /** Those of them that tell a line from others. */
  texts: ColumnTexts;
}

/** The place of a row in its file, from 0, as a column of the view. No field is called so. */
const ROW = "logvend_row";
const ROW_COLUMN: Column = { name: ROW, type: "BIGINT" };

/** What a planner is asked for the condition. */
export function conditionRequest({ stream, where, columns, now }: Erased): PlanRequest {
  const sql = `SELECT ${ROW} FROM ${identifier(stream)} WHERE (${where === "" ? "true" : where}\n)`;
  const tables = [{ name: stream, columns: [...columns, ROW_COLUMN] }];
  const range = { since: null, until: null, implied: false };
  return { sql, tables, now, range, rowsMax: Number.MAX_SAFE_INTEGER - 1 };
}

/** @throws {LogvendError} bad_sql, for what no row decides by itself */
export function conditionOf(plan: Plan, { stream, where }: Erased): ErasedCondition {
  const [partial, ...more] = plan.partials;
  const condition = / WHERE ([\s\S]*)$/.exec(plan.mergeSql)?.[1];
  // Hosts are asked for columns as they are called, whatever capitals the condition has.
  const isOfRows = plan.mode === "rows" && condition !== undefined && more.length === 0 &&
    partial?.sql.toLowerCase().endsWith(` WHERE ${condition}`.toLowerCase()) === true;
  if (!isOfRows) {
    throw new LogvendError(
      "bad_sql",
      `--where ${where}: wanted one condition that each row of ${stream} decides by itself, ` +
        "without subqueries and without functions like random()",
    );
  }
  // Every line holds the empty text: it tells none from another.
  const values = plan.reach.values[stream] ?? {};
  const telling = Object.entries(values).filter(([, texts]) => !texts.includes(""));
  return { sql: plan.mergeSql, values, texts: Object.fromEntries(telling) };
}

/** A chunk that is looked at. */
export interface LookedAt {
  /** The stream, or `rejects`. */
  table: string;
  path: string;
  /** Of its rows, told from the file itself. */
  shape: StreamShape;
  region: string;
}

/** What gives the places of the rows that are meant: a view, and SQL over it. */
export interface RowsQuery {
  view: { table: string; sql: string };
  sql: string;
}

/** Null: none of its rows can be meant. */
export function rowsQuery(
  erased: Erased,
  { sql, texts }: ErasedCondition,
  file: LookedAt,
): RowsQuery | null {
  if (file.table === REJECTS) return rejectsQuery(erased, texts, file);
  const schema = readSchema(file);
  const placed = `SELECT *, row_number() OVER () - 1 AS ${ROW}
    FROM (${physicalRows(schema, [file.path])})`;
  const { columns } = erased;
  const list = [ROW, ...(columns.length > 0 ? [logicalColumns(schema, file.region, columns)] : [])];
  const view = `SELECT ${list.join(", ")} FROM (${placed}) WHERE ${within(erased)}`;
  return { view: { table: erased.stream, sql: view }, sql };
}

/** Numbers read as their lines have them, whether the file's own layouts say how or others do. */
function readSchema({ table, shape }: Pick<LookedAt, "table" | "shape">): StreamSchema {
  const { layouts, fields } = shape;
  const written = numberLayouts(fields.map(({ name }) => name));
  return schemaOf(table, { ...shape, layouts: [...layouts, ...written] });
}

/** Which of a file's own columns that SQL reads. Layouts are looked at before it is made. */
export function columnsRead(
  { columns: named }: Erased,
  { table, region, columns }: { table: string; region: string; columns: readonly Column[] },
): Set<string> {
  const names = columns.map(({ name }) => name);
  if (table === REJECTS) return new Set(REJECTS_READ);
  if (named.some(({ name }) => LINES.has(name.toLowerCase()))) {
    return new Set(names.filter((name) => !POSITIONS.has(name))); // lines are made of all others
  }
  const schema = readSchema({ table, shape: shapeOfColumns(columns) });
  const sql = logicalColumns(schema, region, named).toLowerCase();
  const words = new Set(sql.match(/\w+/g));
  const isRead = (name: string) => words.has(name) || sql.includes(identifier(name));
  const read = names.filter((name) => isRead(name.toLowerCase()));
  return new Set(["ts", "layout", ...read]);
}

const REJECTS_READ = ["ts", "stream", "line"];
const LINES: ReadonlySet<string> = new Set(["line", "line_bytes"]);
const POSITIONS: ReadonlySet<string> = new Set(["generation", "line_offset", "line_length"]);

/**
 * A rejected line has no columns. It is meant if it holds the texts that every row has which is meant:
 * of each column that is compared with texts one of them. Where there is no such text, none is.
 */
function rejectsQuery(erased: Erased, texts: ColumnTexts, file: LookedAt): RowsQuery | null {
  const { stream, where } = erased;
  const columns = Object.values(texts);
  if (where !== "" && columns.length === 0) return null;
  const held = columns.map((some) => `(${some.map(holds).join(" OR ") || "false"})`);
  const conditions = [within(erased), `stream = ${literal(stream)}`, ...held];
  const placed = `SELECT *, row_number() OVER () - 1 AS ${ROW}
    FROM (${physicalRows(REJECTS_SCHEMA, [file.path])})`;
  const view = `SELECT ${ROW} FROM (${placed}) WHERE ${conditions.join(" AND ")}`;
  return { view: { table: REJECTS, sql: view }, sql: `SELECT ${ROW} FROM ${REJECTS}` };
}

/** Bytes that are no ASCII are written the same way on both sides. */
function holds(text: string): string {
  return `contains(line::VARCHAR, encode(${literal(text)})::VARCHAR)`;
}

function within({ since, until }: Erased): string {
  return `ts >= ${literal(timestamp(since))}::TIMESTAMP AND ts < ${
    literal(timestamp(until))
  }::TIMESTAMP`;
}
