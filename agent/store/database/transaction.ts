/** Transactions of agent.db. */
import type { DatabaseSync } from "node:sqlite";

/** Runs `work` as one transaction: all of it is committed and synced, or nothing is. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
