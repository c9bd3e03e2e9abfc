/** Queries that had to be killed, in agent.db: for a while they are not run again. */
import type { DatabaseSync } from "node:sqlite";

/** What did harm once is not tried again within this long. */
const DENIED_MS = 3_600_000;

/** The table, in agent.db's format version 8. */
export const DENIED_TABLE = `
  CREATE TABLE denied (
    sql_sha256 TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
`;

/** Why a query is not run, and for how long. */
export interface Denial {
  untilMs: number;
  reason: string;
}

/** What is denied now; null: it is not. @param sha256 of the SQL */
export function denialOf(database: DatabaseSync, sha256: string, nowMs: number): Denial | null {
  const row = database.prepare(
    "SELECT until_ms, reason FROM denied WHERE sql_sha256 = ? AND until_ms > ?",
  ).get(sha256, nowMs);
  return row === undefined ? null : { untilMs: Number(row.until_ms), reason: String(row.reason) };
}

/** Denies it from now on for an hour, and forgets what was denied long ago. */
export function deny(
  database: DatabaseSync,
  { sha256, reason, nowMs }: { sha256: string; reason: string; nowMs: number },
): void {
  database.prepare("DELETE FROM denied WHERE until_ms <= ?").run(nowMs);
  database.prepare("INSERT OR REPLACE INTO denied VALUES (?, ?, ?)")
    .run(sha256, nowMs + DENIED_MS, reason);
}
