/** `agent query`: the whole answer from this host alone, without broker or orchestrator. */
import type { Range } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { Column, HostCoverage } from "../../protocol/wire/messages.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { JsonRow } from "../../queries/answer/json_rows.ts";
import { renderTable } from "../../queries/answer/table.ts";
import type { TableLook } from "../../queries/answer/table.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import { withTables } from "../../queries/plan/relations.ts";
import { readJsonLines } from "../../protocol/wire/json_lines.ts";
import { runQuestion } from "./prepare.ts";
import type { QueryParts } from "./prepare.ts";
import { resultFile } from "./worker_protocol.ts";

export interface LocalQuestion {
  sql: string;
  now: string;
  range: Range;
  format: RowFormat;
  timeoutMs: number;
}

/** A finished answer; `file` holds its rows in the asked format until it is disposed. */
export interface LocalAnswer extends AsyncDisposable {
  columns: Column[];
  mode: Plan["mode"];
  rows: number;
  file: string;
  coverage: HostCoverage;
  /** The range it covers: the asked one, or none where the SQL bounds ts itself. */
  range: Plan["range"];
  /** Time inside DuckDB. */
  sqlMs: number;
}

/** Nothing is shipped, so nothing caps the rows that the merge reads. */
const ROWS_MAX = Number.MAX_SAFE_INTEGER - 1;

/** @throws {LogvendError} bad_sql, unavailable, timeout, cancelled or internal */
export async function localQuery(
  parts: QueryParts,
  question: LocalQuestion,
  signal: AbortSignal,
): Promise<LocalAnswer> {
  const { format, timeoutMs, ...asked } = question;
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const tables = parts.store.tables();
  const { plan, result, coverage, resultFolder } = await runQuestion(parts, {
    asked: { ...asked, tables, rowsMax: ROWS_MAX },
    output: (plan) => ({ kind: "answer", sql: wholeSql(plan), format }),
  }, until);
  if (result.kind !== "answer") {
    throw new LogvendError("internal", "The worker answered another question");
  }
  return {
    columns: plan.columns,
    mode: plan.mode,
    rows: result.rows,
    file: resultFile(resultFolder, 0),
    coverage,
    range: plan.range,
    sqlMs: result.sql_ms,
    [Symbol.asyncDispose]: () => Deno.remove(resultFolder, { recursive: true }),
  };
}

/** The merge with this host's rows in place: those of its tables, or what it makes of them. */
function wholeSql({ tables, partials, mergeSql }: Plan): string {
  const made = partials.filter(({ table }) => !tables.includes(table));
  return withTables(made.map(({ table, sql }) => [table, sql]), mergeSql);
}

/** Draws an answer that was asked for as jsonl. */
export async function drawAnswer(answer: LocalAnswer, look: TableLook): Promise<string> {
  const file = await Deno.open(answer.file);
  const rows: JsonRow[] = [];
  for await (const row of readJsonLines(file.readable)) {
    rows.push(row as JsonRow); // jsonl holds nothing else
    if (rows.length === look.rowsMax) break;
  }
  return renderTable(answer.columns, rows, look, answer.rows);
}
