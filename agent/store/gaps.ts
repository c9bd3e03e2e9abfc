/** Bytes of log files that were destroyed before they were read, as agent.db counts them. */
import type { DatabaseSync } from "node:sqlite";
import type { Gap, Generation } from "./batch.ts";

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

/** Takes out what was read after all: of a copy, or of the file itself that came back. */
export function fillGaps(database: DatabaseSync, generations: readonly Generation[]) {
  const shorten = database.prepare(
    `UPDATE gaps SET start_offset = $offset, bytes = bytes - ($offset - start_offset)
     WHERE generation = $id AND start_offset < $offset`,
  );
  for (const { id, offset } of generations) shorten.run({ id, offset });
  database.exec("DELETE FROM gaps WHERE bytes <= 0");
}
