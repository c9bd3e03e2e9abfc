/** The counts of agent.db: written in the very transaction that makes their lines durable. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Count, Outcome } from "./tally.ts";

/** The table, in agent.db's format version 2. */
export const ACCOUNTING_TABLE = `
  CREATE TABLE accounting (
    stream TEXT NOT NULL, hour TEXT NOT NULL, generation TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('stored', 'rejected', 'dropped', 'uncounted')),
    reason TEXT NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (stream, hour, generation, outcome, reason)) STRICT, WITHOUT ROWID;
`;

/** Adds counts to those that are there; the caller has begun a transaction. */
export function addCounts(database: DatabaseSync, counts: readonly Count[]) {
  const add = database.prepare(
    `INSERT INTO accounting
     VALUES ($stream, $hour, $generation, $outcome, $reason, $lines, $bytes)
     ON CONFLICT DO UPDATE SET lines = lines + excluded.lines, bytes = bytes + excluded.bytes`,
  );
  for (const count of counts) add.run({ ...count });
}

/** Half-open, of UTC hours like `2026-11-22T19`; null is unbounded. */
export interface HourRange {
  since: string | null;
  until: string | null;
}

/** The hours that a range touches: ISO 8601, half-open; null is unbounded. */
export function hoursOf({ since, until }: HourRange): HourRange {
  return { since: since === null ? null : since.slice(0, "2026-11-22T19".length), until };
}

/** The durable counts, by stream, hour and generation. */
export function readCounts(database: DatabaseSync, { since, until }: HourRange): Count[] {
  const select = database.prepare(
    `SELECT * FROM accounting WHERE hour >= $since AND hour < $until
     ORDER BY stream, hour, generation, outcome, reason`,
  );
  return select.all({ since: since ?? "", until: until ?? "~" }).map(countOf);
}

function countOf(row: Record<string, SQLOutputValue>): Count {
  return {
    stream: String(row.stream),
    hour: String(row.hour),
    generation: String(row.generation),
    outcome: row.outcome as Outcome, // the table's CHECK lets nothing else in
    reason: String(row.reason),
    lines: Number(row.lines),
    bytes: Number(row.bytes),
  };
}
