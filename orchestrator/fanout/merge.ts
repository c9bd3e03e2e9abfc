/** Makes one answer of the rows that hosts shipped: each host's rows once, all of them or none. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import type { Plan } from "../../queries/plan/planner.ts";
import { createPartialTable, importPart } from "../../queries/transfer/import.ts";
import type { HostAnswer } from "./collector.ts";

/** The table that holds the finished answer; no stream can have this name. */
export const ANSWER_TABLE = "_answer";

/** Creates the empty tables that hosts' rows go into. */
export async function prepareMerge(engine: Engine, plan: Plan): Promise<void> {
  for (const { table, columns } of plan.partials) await createPartialTable(engine, table, columns);
}

/**
 * Adds one host's rows.
 * @throws {LogvendError} usage, when they are not what the plan and the host itself say; then none count
 */
export async function addHost(engine: Engine, plan: Plan, answer: HostAnswer): Promise<void> {
  await engine.run("BEGIN TRANSACTION");
  try {
    const loaded = new Map<string, number>();
    for (const { table, part } of answer.parts) {
      const columns = plan.partials.find((partial) => partial.table === table)?.columns ?? [];
      const rows = await importPart(engine, table, columns, part);
      loaded.set(table, (loaded.get(table) ?? 0) + rows);
    }
    for (const { table } of plan.partials) {
      const [said, came] = [answer.rows[table] ?? 0, loaded.get(table) ?? 0];
      if (said !== came) {
        throw new LogvendError("usage", `says it sent ${said} rows, and ${came} came`);
      }
    }
    await engine.run("COMMIT");
  } catch (error) {
    await engine.run("ROLLBACK");
    throw error;
  }
}

/**
 * Computes the answer table. From here on the engine can write only to `writablePaths`.
 * @throws {LogvendError} bad_sql, when the rows make the SQL fail (a cast, a division)
 */
export async function finishMerge(
  engine: Engine,
  plan: Plan,
  writablePaths: readonly string[],
): Promise<void> {
  await engine.lockDown(writablePaths);
  try {
    await engine.run(`CREATE TABLE ${ANSWER_TABLE} AS ${plan.mergeSql}`);
  } catch (cause) {
    throw new LogvendError("bad_sql", messageOf(cause), { cause });
  }
}
