/** Tries the formats on the first lines of a log: which one reads it, and what it cannot read. */
import type { JsonRow } from "../../queries/answer/json_rows.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { TextColumn } from "../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../queries/duckdb/typed_columns.ts";
import type { StreamRows } from "../store/rows/rows.ts";
import type { Format } from "../stream_format.ts";
import type { RejectReason } from "./formats/row.ts";
import { fillerOf, plainLines } from "./line_form.ts";

/** Those that tell themselves, the most particular first. */
const FORMATS = [
  "combined",
  "common",
  "cri",
  "docker",
  "syslog",
  "auto",
  "json",
  "logfmt",
] as const;

/** A line that a format could not read. */
export interface TriedReject {
  /** From 1. */
  lineNumber: number;
  reason: RejectReason;
  line: string;
}

export interface Trial {
  /** The one that reads most lines; null: none reads any. */
  format: Format | null;
  lines: number;
  /** Lines that became rows. */
  rows: number;
  /** Of them those without a time. */
  timeless: number;
  /** As SQL shows them, without those that every row of a host has. */
  columns: Column[];
  firstRows: JsonRow[];
  rejects: TriedReject[];
}

/** Tries every format on lines without their ends. Of formats that read as many, the first counts. */
export function tryFormats(lines: readonly string[], rowsShown: number): Trial {
  const trials = FORMATS.map((format) => tryFormat(format, lines, rowsShown))
    .filter((trial) => trial.format !== "auto" || isOfAccess(trial));
  const best = trials.reduce((a, b) => b.rows > a.rows ? b : a);
  return best.rows > 0 ? best : { ...best, format: null };
}

/** A time and a status alone may be those of any JSON. */
function isOfAccess({ columns }: Trial): boolean {
  return columns.some(({ name }) => name === "remote_addr" || name === "request");
}

function tryFormat(format: Format, lines: readonly string[], rowsShown: number): Trial {
  const filler = fillerOf(plainLines(format), Date.now);
  const rejects: TriedReject[] = [];
  const good: string[] = [];
  let timeless = 0;
  for (const [i, line] of lines.entries()) {
    const read = filler.read(line, true);
    if (typeof read === "string") rejects.push({ lineNumber: i + 1, reason: read, line });
    else if (!read.isTimed) timeless++;
    if (typeof read !== "string") good.push(line);
  }
  const rows = filler.newRows(rowsShown); // with the columns of all lines
  for (const line of good.slice(0, rowsShown)) {
    const read = filler.read(line, true);
    if (typeof read === "string") continue;
    read.set(rows);
    rows.count++;
  }
  const { logical } = streamSchema(filler.shape);
  const firstRows = Array.from({ length: rows.count }, (_, row) => shownRow(rows, row, logical));
  const columns = logical.filter(({ name }) => firstRows.some((row) => row[name] != null));
  return { format, lines: lines.length, rows: good.length, timeless, columns, firstRows, rejects };
}

function shownRow({ columns }: StreamRows, row: number, logical: readonly Column[]): JsonRow {
  const ms = columns["request_time_ms"];
  const entries = logical.map(({ name }) => {
    const column = columns[name];
    if (name === "ts") {
      return [name, new Date(Number((columns.ts.value(row) ?? 0n) / 1_000n)).toISOString()];
    }
    if (name === "request_time" && ms !== undefined && !(ms instanceof TextColumn)) {
      const value = ms.value(row);
      return [name, value === null ? null : Number(value) / 1_000];
    }
    return [name, column === undefined ? null : shownValue(column, row)];
  });
  return Object.fromEntries(entries);
}

function shownValue(column: TypedColumn, row: number): string | number | boolean | null {
  if (column instanceof TextColumn) return column.text(row);
  const value = column.value(row);
  if (column.values instanceof Int8Array) return value === null ? null : value === 1;
  return typeof value === "bigint" ? Number(value) : value;
}
