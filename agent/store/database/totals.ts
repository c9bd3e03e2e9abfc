/** What agent.db adds up to, for whoever counts: it grows on through every restart. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { BEFORE_ERASED } from "../../account/book.ts";
import { removedTotals } from "./removed.ts";
import type { RemovedTotal } from "./removed.ts";

/** All of it durable: what waits in memory is counted when it is. */
export interface StoreTotals {
  files: { kind: string; count: number; rows: number; bytes: number }[];
  /** By the files' own offsets, whatever became of the lines. */
  read: { stream: string; lines: number; bytes: number }[];
  /**
   * `reason`: why rejected, the rule that dropped, else empty. What was erased since counts as what it
   * was, and once more as erased: none of these ever gets less.
   */
  outcomes: { stream: string; outcome: string; reason: string; lines: number; bytes: number }[];
  /** What was destroyed before it was read. */
  gaps: { stream: string; reason: string; count: number; bytes: number }[];
  /** Files that are in no answer any more. */
  removed: RemovedTotal[];
}

type Row = Record<string, SQLOutputValue>;

/** Adds up. Some milliseconds for a data folder of months. */
export function readTotals(database: DatabaseSync): StoreTotals {
  const select = (sql: string): Row[] => database.prepare(sql).all();
  const sums = "sum(lines) AS lines, sum(bytes) AS bytes";
  return {
    files: select(
      "SELECT kind, count(*) AS n, sum(rows) AS rows, sum(bytes) AS bytes FROM files GROUP BY 1",
    )
      .map((row) => ({
        kind: String(row.kind),
        count: Number(row.n),
        rows: Number(row.rows),
        bytes: Number(row.bytes),
      })),
    read: select(
      `SELECT stream, sum(lines) AS lines, sum(durable_offset - start_offset) AS bytes
       FROM generations GROUP BY 1`,
    ).map((row) => ({ stream: String(row.stream), ...linesAndBytes(row) })),
    outcomes: select(
      `SELECT stream, ${BEFORE_ERASED.outcome} AS outcome, ${BEFORE_ERASED.reason} AS reason, ${sums}
         FROM accounting GROUP BY 1, 2, 3
       UNION ALL SELECT stream, outcome, '', ${sums} FROM accounting WHERE outcome = 'erased'
         GROUP BY 1, 2`,
    )
      .map((row) => ({
        stream: String(row.stream),
        outcome: String(row.outcome),
        reason: String(row.reason),
        ...linesAndBytes(row),
      })),
    removed: removedTotals(database),
    gaps: select(
      "SELECT stream, reason, count(*) AS n, sum(bytes) AS bytes FROM gaps GROUP BY 1, 2",
    )
      .map((row) => ({
        stream: String(row.stream),
        reason: String(row.reason),
        count: Number(row.n),
        bytes: Number(row.bytes),
      })),
  };
}

function linesAndBytes(row: Row): { lines: number; bytes: number } {
  return { lines: Number(row.lines), bytes: Number(row.bytes) };
}
