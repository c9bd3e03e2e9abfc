/**
 * What an earlier data folder had archived of log files that may still be there: which files they
 * were, and which of their lines. Kept in agent.db until these have been passed over.
 */
import type { DatabaseSync } from "node:sqlite";
import type { LineRun } from "../archived_lines.ts";
import type { FormerGeneration } from "../batch.ts";
import type { Reserve } from "../database/reserve.ts";
import { transaction } from "../database/transaction.ts";
import { GenerationFacts } from "../files/file_metadata.ts";

/**
 * The tables, in agent.db from format version 12 on. The id of a run is that of its generation and the
 * byte where it begins, in digits that sort as numbers do.
 */
export const FORMER_TABLES = `
  CREATE TABLE former_generations (id TEXT PRIMARY KEY, facts TEXT NOT NULL) STRICT;
  CREATE TABLE archived_lines (
    id TEXT PRIMARY KEY, lines INTEGER NOT NULL, end_offset INTEGER) STRICT;
`;

/** In `meta`: the archive was asked, or nobody waits for it any more. */
const ASKED_KEY = "archive_asked";

/** In `meta`, of a folder that goes on with log files of an earlier one: what its chunks are told by. */
const MARK_KEY = "regained_mark";

/** Folders of before this table read their logs already. */
export const FORMER_MIGRATION = `${FORMER_TABLES}
  ALTER TABLE generations ADD COLUMN began_offset INTEGER;
  INSERT OR IGNORE INTO meta VALUES ('${ASKED_KEY}', 'before');
`;

/** Runs that are in memory at once, of one file. */
const PAGE_RUNS = 1_000;

/** Digits of the largest file. */
const OFFSET_DIGITS = 16;

/** Of two runs that begin together, as two chunks have the same lines, the longer one. */
const PUT_RUN = `INSERT INTO archived_lines VALUES (?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET lines = excluded.lines, end_offset = excluded.end_offset
  WHERE (excluded.lines, coalesce(excluded.end_offset, 0)) > (lines, coalesce(end_offset, 0))`;

/** How far a file has been read, and what is left of the archived lines that follow there. */
export interface PassedTo {
  generation: string;
  offset: number;
  left: LineRun | null;
  /** Of archived lines that were passed over since it was last said: they count as read before. */
  bytes: number;
}

export class FormerLines {
  constructor(private readonly options: { database: DatabaseSync; reserve: Reserve }) {}

  /** Whether all is here that can be known. */
  get isKnown(): boolean {
    return this.options.database.prepare("SELECT 1 FROM meta WHERE key = ?").get(ASKED_KEY) !==
      undefined;
  }

  /**
   * What the ids of this folder's chunks are made with; null: nothing. The bytes that it reads lie
   * around those that an earlier folder had archived, and may begin and end where they did.
   */
  get mark(): string | null {
    const row = this.options.database.prepare("SELECT value FROM meta WHERE key = ?").get(MARK_KEY);
    return row === undefined ? null : String(row.value);
  }

  /** One commit: runs of lines of one generation. Those that are there already are there once. */
  add(generation: string, runs: readonly LineRun[]) {
    const { database, reserve } = this.options;
    const put = database.prepare(PUT_RUN);
    reserve.spend(() =>
      transaction(database, () => {
        for (const { start, lines, end } of runs) put.run(runId(generation, start), lines, end);
      })
    );
  }

  /** One commit: these files are all; the archive is not asked again. */
  finish(generations: readonly GenerationFacts[], how: "answered" | "gave up") {
    const { database, reserve } = this.options;
    const put = database.prepare("INSERT OR REPLACE INTO former_generations VALUES (?, ?)");
    reserve.spend(() =>
      transaction(database, () => {
        for (const facts of generations) put.run(facts.id, JSON.stringify(facts));
        if (how === "gave up") database.exec("DELETE FROM archived_lines");
        const note = database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
        if (generations.length > 0) note.run(MARK_KEY, randomId());
        note.run(ASKED_KEY, how);
      })
    );
  }

  /** Files of a stream of which nothing has been read here yet; the oldest first. */
  generations(stream: string): FormerGeneration[] {
    return this.options.database.prepare(
      `SELECT facts FROM former_generations AS former WHERE NOT EXISTS (
         SELECT 1 FROM generations
         WHERE id = former.id AND durable_offset > coalesce(began_offset, 0))`,
    ).all().map(({ facts }) => GenerationFacts.parse(JSON.parse(String(facts))))
      .filter((facts) => facts.stream === stream)
      .sort((a, b) => a.firstSeenMs - b.firstSeenMs)
      // What the archive lacks of a file that was read whole is to be read.
      .map(({ inputPath: _, beganOffset, ...facts }) => ({
        ...{ ...facts, beganOffset: beganOffset ?? 0 },
        ...{ lines: 0, contentSha256: null },
      }));
  }

  /** The path at first sight of a file that was known before; null: it was not. */
  inputPath(id: string): string | null {
    const row = this.options.database.prepare("SELECT facts FROM former_generations WHERE id = ?")
      .get(id);
    if (row === undefined) return null;
    return GenerationFacts.parse(JSON.parse(String(row.facts))).inputPath;
  }

  /** Whether the archive has lines of it. */
  has(generation: string): boolean {
    return this.runs(generation, 0, 1).length > 0;
  }

  /** Some runs from an offset on. */
  runs(generation: string, from: number, countMax = PAGE_RUNS): LineRun[] {
    return this.options.database.prepare(
      "SELECT * FROM archived_lines WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
    ).all(runId(generation, from), `${generation};`, countMax).map((row) => ({
      start: Number(String(row.id).slice(generation.length + 1)),
      lines: Number(row.lines),
      end: typeof row.end_offset === "number" ? row.end_offset : null,
    }));
  }
}

/** In a transaction of the caller's: what is behind is needed no more. */
export function settlePassed(database: DatabaseSync, passed: readonly PassedTo[]) {
  for (const { generation, offset, left, bytes } of passed) {
    database.prepare("UPDATE generations SET start_offset = start_offset + ? WHERE id = ?")
      .run(bytes, generation);
    database.prepare("DELETE FROM archived_lines WHERE id >= ? AND id < ?")
      .run(runId(generation, 0), runId(generation, offset));
    if (left === null) continue;
    database.prepare(PUT_RUN).run(runId(generation, left.start), left.lines, left.end);
  }
}

function randomId(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

function runId(generation: string, start: number): string {
  return `${generation}:${String(start).padStart(OFFSET_DIGITS, "0")}`;
}
