/** Makes one answer of the rows that hosts shipped: each host's rows once, all of them or none. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/messages.ts";
import { createAndRead, PAGE_ROWS, readShort } from "../../queries/answer/json_rows.ts";
import type { FinishedTable } from "../../queries/answer/json_rows.ts";
import { sameColumns } from "../../queries/columns.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import type { Partial, Plan } from "../../queries/plan/plan.ts";
import {
  createPartialTable,
  importPart,
  prepareTextImport,
} from "../../queries/transfer/import.ts";
import type { TextImport, TextPart } from "../../queries/transfer/import.ts";
import type { HostAnswer } from "./collector.ts";
import type { TablePart } from "./host_inbox.ts";

/** The table that holds a long answer; no stream can have this name. */
const ANSWER_TABLE = "_answer";

/** An engine with the tables that hosts' rows go into, ready to take them. */
export interface Merge {
  engine: Engine;
  plan: Plan;
  textImports: ReadonlyMap<string, TextImport>;
  /** Rows that hosts sent, rejected ones included. */
  rowCount: number;
}

/** Creates the empty tables. It is done while the hosts are at work. */
export async function prepareMerge(engine: Engine, plan: Plan): Promise<Merge> {
  const textImports = new Map<string, TextImport>();
  for (const { table, columns } of plan.partials) {
    await createPartialTable(engine, table, columns);
    textImports.set(table, await prepareTextImport(engine, table, columns));
  }
  return { engine, plan, textImports, rowCount: 0 };
}

/** A host whose rows do not count, and why. */
export interface RejectedAnswer {
  host: string;
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
    if (others.length === 0) return [{ host: first.host, reason: messageOf(error) }];
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
    return await addTable(merge, only, answers); // one INSERT, which is all or nothing by itself
  }
  await engine.run("BEGIN TRANSACTION");
  try {
    for (const partial of plan.partials) await addTable(merge, partial, answers);
    await engine.run("COMMIT");
  } catch (error) {
    await engine.run("ROLLBACK");
    throw error;
  }
}

function checkTables(parts: readonly TablePart[], plan: Plan) {
  for (const { table } of parts) {
    if (!plan.partials.some((partial) => partial.table === table)) {
      throw new LogvendError("usage", `sent a table "${table}" that nobody asked for`);
    }
  }
}

async function addTable(
  merge: Merge,
  { table, columns }: Partial,
  answers: readonly HostAnswer[],
) {
  const { engine, textImports } = merge;
  const texts: TextPart[] = [];
  for (const { parts, rows } of answers) {
    let came = 0;
    for (const { part } of parts.filter((one) => one.table === table)) {
      if (part.encoding === "text") {
        checkText(part, columns);
        came += part.values[0]?.length ?? 0;
        texts.push(part);
      } else came += await importPart(engine, table, columns, part);
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

/** Computes the answer. @throws {LogvendError} bad_sql, when the rows make the SQL fail */
export async function finishMerge({ engine, plan, rowCount }: Merge): Promise<FinishedTable> {
  const answer = { select: plan.mergeSql, table: ANSWER_TABLE, columns: plan.columns };
  try {
    return await (rowCount <= PAGE_ROWS ? readShort : createAndRead)(engine, answer);
  } catch (cause) {
    throw new LogvendError("bad_sql", messageOf(cause), { cause });
  }
}
