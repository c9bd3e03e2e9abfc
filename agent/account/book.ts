/** The counts of agent.db: written in the very transaction that makes their lines durable. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { REJECTS } from "../../protocol/schema/streams.ts";
import type { ErasedCount } from "../../queries/erase/rewrite.ts";
import type { Count, Outcome } from "./tally.ts";

/** The table, in agent.db's format version 2. */
export const ACCOUNTING_TABLE = `
  CREATE TABLE accounting (
    stream TEXT NOT NULL, hour TEXT NOT NULL, generation TEXT NOT NULL,
    outcome TEXT NOT NULL
      CHECK (outcome IN ('stored', 'rejected', 'dropped', 'uncounted', 'erased')),
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

/** Lines are erased from version 11 on. */
export const ACCOUNTING_MIGRATION = `
  ALTER TABLE accounting RENAME TO accounting_before;
  ${ACCOUNTING_TABLE}
  INSERT INTO accounting SELECT * FROM accounting_before;
  DROP TABLE accounting_before;
`;

/**
 * What was stored or rejected has been erased; the caller has begun a transaction. Where nobody
 * counted whose rows they were, less is uncounted.
 */
export function addErased(database: DatabaseSync, counts: readonly ErasedCount[], erasure: string) {
  const take = database.prepare(
    `UPDATE accounting SET lines = lines - $lines, bytes = bytes - $bytes
     WHERE stream = $stream AND hour = $hour AND generation = $generation
       AND outcome = $outcome AND reason = $reason AND lines >= $lines`,
  );
  const takeUncounted = database.prepare(
    `UPDATE accounting SET lines = max(0, lines - $lines)
     WHERE stream = $table AND hour = $hour AND generation = '' AND outcome = 'uncounted'`,
  );
  for (const count of counts) {
    const { stream, hour, lines } = count;
    const isCounted = take.run({ ...count }).changes === 1;
    const table = count.outcome === "rejected" ? REJECTS : stream;
    if (!isCounted) takeUncounted.run({ table, hour, lines });
    const generation = isCounted ? count.generation : "";
    const reason = erasedReason(erasure, count);
    addCounts(database, [{ ...count, generation, outcome: "erased", reason }]);
  }
  database.exec(
    "DELETE FROM accounting WHERE lines = 0 AND bytes = 0 AND outcome IN ('stored', 'rejected')",
  );
}

/** The erasure, and behind it why a line had been rejected: so it is told what the line was. */
function erasedReason(erasure: string, { outcome, reason }: ErasedCount): string {
  return outcome === "rejected" ? `${erasure} ${reason}` : erasure;
}

/** What lines had become before they were erased, and why; for SQL over the table. */
export const BEFORE_ERASED = {
  outcome: `CASE WHEN outcome <> 'erased' THEN outcome
    WHEN instr(reason, ' ') > 0 THEN 'rejected' ELSE 'stored' END`,
  reason: `CASE WHEN outcome = 'erased' AND instr(reason, ' ') > 0
    THEN substr(reason, instr(reason, ' ') + 1) WHEN outcome = 'erased' THEN '' ELSE reason END`,
};

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
