/** Makes one answer of the rows that hosts shipped: each host's rows once, all of them or none. */
import { join } from "node:path";
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { createAndRead, PAGE_ROWS, readShort } from "../../queries/answer/json_rows.ts";
import type { FinishedTable } from "../../queries/answer/json_rows.ts";
import { sameColumns } from "../../queries/columns.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import { sqlError } from "../../queries/duckdb/sql_error.ts";
import type { Partial, Plan } from "../../queries/plan/plan.ts";
import { exportSelect } from "../../queries/transfer/export.ts";
import {
  checkParquet,
  createBroadcastTable,
  createPartialTable,
  importPart,
  parquetSelect,
  prepareTextImport,
} from "../../queries/transfer/import.ts";
import type { TextImport, TextPart } from "../../queries/transfer/import.ts";
import type { ExportJob } from "../export/export_job.ts";
import type { HostAnswer } from "./collector.ts";
import type { TablePart } from "./host_inbox.ts";

/** The table that holds an answer of some pages; no stream can have this name. */
const ANSWER_TABLE = "_answer";

/** More rows of hosts are not held in memory. */
export const HELD_ROWS_MAX = 100_000;

/** An engine with the tables that hosts' rows go into, ready to take them. */
export interface Merge {
  engine: Engine;
  plan: Plan;
  /** Tables of the asker's own. */
  broadcast: readonly BroadcastTable[];
  textImports: ReadonlyMap<string, TextImport>;
  /** Rows that hosts sent, rejected ones included. */
  rowCount: number;
  /** Parquet that is left where it lies, once the answer is known to be long; null before. */
  left: HostFile[] | null;
}

/** Rows of one host, in Parquet. */
interface HostFile {
  table: string;
  file: string;
}

/** An answer: rows in the engine, or what makes it of files that hosts sent. */
export type Merged = { kind: "held"; table: FinishedTable } | { kind: "long"; merge: LongMerge };

/** A merge that is still to be run. */
export type LongMerge = Omit<ExportJob, "format" | "spill_folder" | "library">;

/** Creates the empty tables. It is done while the hosts are at work. */
export async function prepareMerge(
  engine: Engine,
  plan: Plan,
  broadcast: readonly BroadcastTable[],
): Promise<Merge> {
  for (const table of broadcast) await createBroadcastTable(engine, table);
  const textImports = new Map<string, TextImport>();
  for (const { table, columns } of plan.partials) {
    await createPartialTable(engine, table, columns);
    textImports.set(table, await prepareTextImport(engine, table, columns));
  }
  return { engine, plan, broadcast, textImports, rowCount: 0, left: null };
}

/** An answer whose rows do not count, and why. */
export interface RejectedAnswer {
  answer: HostAnswer;
  reason: string;
}

/**
 * Adds what hosts shipped, together: a transaction a host would cost a millisecond each. Of a host
 * whose rows are not what the plan and the host itself say, none count; it is found by halving.
 */
export async function addAnswers(
  merge: Merge,
  answers: readonly HostAnswer[],
): Promise<RejectedAnswer[]> {
  const [first, ...others] = answers;
  if (first === undefined) return [];
  try {
    await addTogether(merge, answers);
    return [];
  } catch (error) {
    if (others.length === 0) return [{ answer: first, reason: messageOf(error) }];
  }
  const half = Math.ceil(answers.length / 2);
  return [
    ...await addAnswers(merge, answers.slice(0, half)),
    ...await addAnswers(merge, answers.slice(half)),
  ];
}

/** All of them or none. @throws {LogvendError} usage */
async function addTogether(merge: Merge, answers: readonly HostAnswer[]) {
  const { engine, plan } = merge;
  for (const { parts } of answers) checkTables(parts, plan);
  const [only, ...others] = plan.partials;
  const isText = answers.every(({ parts }) => parts.every(({ part }) => part.encoding === "text"));
  if (only !== undefined && others.length === 0 && isText) {
    await addTable(merge, only, answers); // one INSERT, which is all or nothing by itself
    return;
  }
  const left: HostFile[] = [];
  await engine.run("BEGIN TRANSACTION");
  try {
    for (const partial of plan.partials) left.push(...await addTable(merge, partial, answers));
    await engine.run("COMMIT");
  } catch (error) {
    await engine.run("ROLLBACK");
    throw error;
  }
  merge.left?.push(...left);
}

function checkTables(parts: readonly TablePart[], plan: Plan) {
  for (const { table } of parts) {
    if (!plan.partials.some((partial) => partial.table === table)) {
      throw new LogvendError("usage", `sent a table "${table}" that nobody asked for`);
    }
  }
}

/** Loads what hosts sent for one table, and returns the files that were left where they lie. */
async function addTable(
  merge: Merge,
  { table, columns }: Partial,
  answers: readonly HostAnswer[],
): Promise<HostFile[]> {
  const { engine, textImports } = merge;
  const texts: TextPart[] = [];
  const left: HostFile[] = [];
  for (const { parts, rows } of answers) {
    let came = 0;
    for (const { part } of parts.filter((one) => one.table === table)) {
      if (part.encoding === "text") {
        checkText(part, columns);
        came += part.values[0]?.length ?? 0;
        texts.push(part);
        continue;
      }
      const held = await checkParquet(engine, columns, part.file);
      came += held;
      if (came > (rows[table] ?? 0)) break; // not even unpacked
      if (merge.left !== null) left.push({ table, file: part.file });
      else if (await importPart(engine, table, columns, part) !== held) {
        throw new LogvendError("usage", `sent a file that says it has ${held} rows, and has not`);
      }
    }
    merge.rowCount += came;
    const said = rows[table] ?? 0;
    if (said !== came) {
      throw new LogvendError("usage", `says it sent ${said} rows, and ${came} came`);
    }
  }
  await textImports.get(table)?.({
    encoding: "text",
    columns: [...columns],
    values: columns.map((_, i) => texts.flatMap((part) => part.values[i] ?? [])),
  });
  return left;
}

/** What importPart checks, for one of the parts that it is given together. */
function checkText(part: TextPart, columns: readonly Column[]) {
  const rowCount = part.values[0]?.length;
  if (
    !sameColumns(part.columns, columns) || part.values.length !== columns.length ||
    part.values.some((column) => column.length !== rowCount)
  ) {
    throw new LogvendError("usage", "sent other columns than the plan's");
  }
}

/**
 * Computes the answer, or says how it is computed when it is long.
 * @param folder of the hosts' files
 * @throws {LogvendError} bad_sql, when the rows make the SQL fail
 */
export async function finishMerge(merge: Merge, folder: () => string): Promise<Merged> {
  const { engine, plan, rowCount, left } = merge;
  if (left !== null) return { kind: "long", merge: await longMerge(merge, left, folder()) };
  const answer = { select: plan.mergeSql, table: ANSWER_TABLE, columns: plan.columns };
  try {
    const read = rowCount <= PAGE_ROWS ? readShort : createAndRead;
    return { kind: "held", table: await read(engine, answer) };
  } catch (cause) {
    throw sqlError(cause);
  }
}

/** Puts what was loaded beside the files that were left. */
async function longMerge(
  { engine, plan, broadcast }: Merge,
  left: readonly HostFile[],
  folder: string,
): Promise<LongMerge> {
  const files: string[] = [];
  const views: LongMerge["views"] = [];
  for (const [i, { table, columns }] of plan.partials.entries()) {
    const file = join(folder, `loaded.${i}.parquet`);
    const select = `FROM ${identifier(table)}`;
    const loaded = await exportSelect(engine, { select, columns: [...columns], file });
    const parts = left.filter((one) => one.table === table).map((one) => one.file);
    const read = loaded.rows === 0 && parts.length > 0 ? parts : [file, ...parts];
    views.push({ table, sql: parquetSelect(columns, read) });
    files.push(...read);
  }
  const { mergeSql: select, columns } = plan;
  return { broadcast: [...broadcast], views, files, select, columns };
}
