/** Bytes of log files that were destroyed before they were read, as agent.db counts them. */
import type { DatabaseSync } from "node:sqlite";
import type { Gap, Generation } from "../batch.ts";

/** The table, in agent.db from format version 3 on. `start_offset`: its first byte in the file. */
export const GAPS_TABLE = `
  CREATE TABLE gaps (
    generation TEXT PRIMARY KEY, stream TEXT NOT NULL, path TEXT NOT NULL,
    start_offset INTEGER NOT NULL, bytes INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('truncated', 'gone')), seen_ms INTEGER NOT NULL) STRICT;
`;

/** Adds gaps; the caller has begun a transaction. The newest of a generation holds. */
export function addGaps(database: DatabaseSync, gaps: readonly Gap[]) {
  const add = database.prepare(
    `INSERT OR REPLACE INTO gaps
     VALUES ($generation, $stream, $path, $offset, $bytes, $reason, $seenMs)`,
  );
  for (const gap of gaps) add.run({ ...gap });
}

/** When gaps were seen: ISO 8601, half-open; null is unbounded. */
export interface SeenRange {
  since: string | null;
  until: string | null;
}

/** The gaps of a range, of `waiting` too, which the next flush makes durable. */
export function readGaps(
  database: DatabaseSync,
  range: SeenRange,
  waiting: readonly Gap[] = [],
): Gap[] {
  const durable = database.prepare("SELECT * FROM gaps ORDER BY seen_ms").all().map((row): Gap => ({
    generation: String(row.generation),
    stream: String(row.stream),
    path: String(row.path),
    offset: Number(row.start_offset),
    bytes: Number(row.bytes),
    reason: row.reason as Gap["reason"], // the table's CHECK lets nothing else in
    seenMs: Number(row.seen_ms),
  }));
  const since = range.since === null ? -Infinity : Date.parse(range.since);
  const until = range.until === null ? Infinity : Date.parse(range.until);
  const newest = new Map([...durable, ...waiting].map((gap) => [gap.generation, gap]));
  return [...newest.values()].filter(({ seenMs }) => seenMs >= since && seenMs < until);
}

/** How many gaps there are, and the bytes that were lost in them. */
export function gapTotal(gaps: readonly Gap[]): { count: number; bytes: number } {
  return { count: gaps.length, bytes: gaps.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Takes out what was read after all: of a copy, or of the file itself that came back. */
export function fillGaps(database: DatabaseSync, generations: readonly Generation[]) {
  const shorten = database.prepare(
    `UPDATE gaps SET start_offset = $offset, bytes = bytes - ($offset - start_offset)
     WHERE generation = $id AND start_offset < $offset`,
  );
  for (const { id, offset } of generations) shorten.run({ id, offset });
  database.exec("DELETE FROM gaps WHERE bytes <= 0");
}
