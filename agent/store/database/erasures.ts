/**
 * Erasures in agent.db: which there are, which chunks they have been applied to, and what that took.
 * One stays for good: chunks that come later (late lines, files that are there again) are looked at
 * too, and are not archived before.
 */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { addErased } from "../../account/book.ts";
import type { Erasure } from "../../../protocol/signing/erasure.ts";
import { EraseClaims } from "../../../protocol/signing/claims.ts";
import { REJECTS } from "../../../protocol/schema/streams.ts";
import type { ErasedCount } from "../../../queries/erase/rewrite.ts";
import type { Catalog, StoredFile } from "./catalog.ts";
import type { Reserve } from "./reserve.ts";
import { addTouched } from "./touched.ts";
import { transaction } from "./transaction.ts";

/** The tables, in agent.db from format version 11 on. `since_us`, `until_us`: half-open. */
export const ERASURES_TABLES = `
  CREATE TABLE erasures (
    id TEXT PRIMARY KEY, operator TEXT NOT NULL, where_sql TEXT NOT NULL, token TEXT NOT NULL,
    claims TEXT NOT NULL, stream TEXT NOT NULL,
    since_us INTEGER NOT NULL, until_us INTEGER NOT NULL, issued_ms INTEGER NOT NULL,
    is_sealed INTEGER NOT NULL DEFAULT 0, done_ms INTEGER, problem TEXT,
    rows INTEGER NOT NULL DEFAULT 0, chunks INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE erasures_applied (
    erasure TEXT NOT NULL, chunk TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    PRIMARY KEY (chunk, erasure)) STRICT, WITHOUT ROWID;
`;

/** More would be looked through for every chunk. */
const ERASURES_MAX = 10_000;

/** What an erasure concerns of chunks, and has not been applied to; for SQL over both tables. */
const CONCERNS = `files.kind = 'chunk' AND files.stream IN (erasures.stream, '${REJECTS}')
  AND files.ts_max_us >= erasures.since_us AND files.ts_min_us < erasures.until_us
  AND NOT EXISTS (SELECT 1 FROM erasures_applied
    WHERE erasures_applied.erasure = erasures.id AND erasures_applied.chunk = files.id)`;

/** Of files, for SQL: an erasure has not been applied yet. */
export const IS_TO_BE_ERASED = `EXISTS (SELECT 1 FROM erasures WHERE ${CONCERNS})`;

/** How far one is. */
export interface ErasureProgress {
  id: string;
  /** When all that was there had been looked at; null: not yet. */
  doneMs: number | null;
  problem: string | null;
  rows: number;
  chunks: number;
  archived: number;
}

/** A chunk that was written anew without some rows. */
export interface Replacement {
  before: StoredFile;
  after: StoredFile;
  counts: readonly ErasedCount[];
}

export interface ErasureBookOptions {
  database: DatabaseSync;
  catalog: Catalog;
  /** Streams whose rows windows count. */
  windowed: ReadonlySet<string>;
  /** What is erased may be what a full disk waits for. */
  reserve: Reserve;
  clock: () => number;
}

export class ErasureBook {
  constructor(private readonly options: ErasureBookOptions) {}

  /** Notes one, durably. False: it is known already. @throws beyond 10,000 of them */
  add(erasure: Erasure): boolean {
    const { database, reserve } = this.options;
    if (this.progress(erasure.id) !== null) return false;
    if (this.count() >= ERASURES_MAX) throw new Error(`there are ${ERASURES_MAX} erasures already`);
    const { id, operator, where, record, stream, since, until, issued_at_ms, ...more } = erasure;
    const insert = database.prepare(
      `INSERT INTO erasures (id, operator, where_sql, token, claims, stream, since_us, until_us,
         issued_ms) VALUES ($id, $operator, $where, $token, $claims, $stream, $sinceUs, $untilUs,
         $issuedMs)`,
    );
    reserve.spend(() =>
      insert.run({
        ...{ id, operator, where, stream, token: record.token },
        claims: JSON.stringify({ id, stream, since, until, issued_at_ms, ...more }),
        sinceUs: Date.parse(since) * 1_000,
        untilUs: Date.parse(until) * 1_000,
        issuedMs: issued_at_ms,
      })
    );
    return true;
  }

  /** How many are known. */
  count(): number {
    const row = this.options.database.prepare("SELECT count(*) AS n FROM erasures").get();
    return Number(row?.n);
  }

  /** Null: it is not known. */
  progress(id: string): ErasureProgress | null {
    const row = this.options.database.prepare("SELECT * FROM erasures WHERE id = ?").get(id);
    return row === undefined ? null : progressOf(row);
  }

  /** Those whose hours have not been sealed since they came. */
  unsealed(): Erasure[] {
    return this.options.database.prepare(
      "SELECT * FROM erasures WHERE is_sealed = 0 ORDER BY issued_ms, id",
    ).all().map(erasureOf);
  }

  /** Its hours have been sealed. */
  sealed(id: string) {
    this.options.database.prepare("UPDATE erasures SET is_sealed = 1 WHERE id = ?").run(id);
  }

  /**
   * The oldest erasure and a chunk that it has to be applied to; null: there is none.
   * @param but pairs that are left alone: id, blank, chunk
   */
  next(but: ReadonlySet<string>): { erasure: Erasure; chunk: StoredFile } | null {
    const { database, catalog } = this.options;
    const row = database.prepare(
      `SELECT erasures.*, files.id AS chunk FROM erasures JOIN files ON ${CONCERNS}
       WHERE erasures.id || ' ' || files.id NOT IN (SELECT value FROM json_each(?))
       ORDER BY erasures.issued_ms, erasures.id, files.hour, files.rowid LIMIT 1`,
    ).get(JSON.stringify([...but]));
    const chunk = row === undefined ? undefined : catalog.file(String(row.chunk));
    return row === undefined || chunk === undefined ? null : { erasure: erasureOf(row), chunk };
  }

  /** None of the chunk's rows are meant. */
  applied(id: string, chunk: string) {
    this.options.database.prepare(
      "INSERT OR IGNORE INTO erasures_applied SELECT ?, id FROM files WHERE id = ?",
    ).run(id, chunk);
  }

  /**
   * One commit: the chunk of before is out, the one without the rows is in, and the account says what
   * went. False: the chunk of before was out already.
   */
  replace(id: string, { before, after, counts }: Replacement): boolean {
    const { database, catalog, reserve, windowed, clock } = this.options;
    const rows = before.rows - after.rows;
    return reserve.spend(() =>
      transaction(database, () => {
        const others = database.prepare("SELECT erasure FROM erasures_applied WHERE chunk = ?")
          .all(before.id).map(({ erasure }) => String(erasure));
        const removed = database.prepare(
          `INSERT OR REPLACE INTO removed SELECT id, kind, stream, hour, path, $rows, bytes,
             ts_min_us, ts_max_us, '[]', sha256, created_ms, 'erased', $nowMs, 1
           FROM files WHERE id = $id`,
        ).run({ id: before.id, rows, nowMs: clock() });
        if (removed.changes !== 1) return false;
        database.prepare("DELETE FROM files WHERE id = ?").run(before.id);
        catalog.insertFile(after);
        for (const other of [...others, id]) this.applied(other, after.id);
        addErased(database, counts, id);
        const { since_us: sinceUs, until_us: untilUs } = database.prepare(
          "SELECT since_us, until_us FROM erasures WHERE id = ?",
        ).get(id) ?? {};
        const fromUs = Math.max(before.tsMinUs, Number(sinceUs));
        const toUs = Math.min(before.tsMaxUs, Number(untilUs) - 1);
        addTouched(database, [{ stream: before.stream, fromUs, toUs }], windowed);
        database.prepare(
          `UPDATE erasures SET rows = rows + $rows, chunks = chunks + 1, problem = NULL,
             archived = archived + (SELECT count(*) FROM archived WHERE id = $before)
           WHERE id = $id`,
        ).run({ id, rows, before: before.id });
        return true;
      })
    );
  }

  /** Says of all that have nothing left to look at that they are done, and returns these. */
  settle(): { erasure: Erasure; progress: ErasureProgress }[] {
    const { database, clock } = this.options;
    const rows = database.prepare(
      `UPDATE erasures SET done_ms = $nowMs, problem = NULL
       WHERE done_ms IS NULL AND is_sealed = 1
         AND NOT EXISTS (SELECT 1 FROM files WHERE ${CONCERNS}) RETURNING *`,
    ).all({ nowMs: clock() });
    return rows.map((row) => ({ erasure: erasureOf(row), progress: progressOf(row) }));
  }

  /** Why it could not be applied to a chunk. */
  failed(id: string, problem: string) {
    this.options.database.prepare("UPDATE erasures SET problem = ? WHERE id = ?")
      .run(problem.slice(0, 2_000), id);
  }
}

function progressOf(row: Record<string, SQLOutputValue>): ErasureProgress {
  return {
    id: String(row.id),
    doneMs: row.done_ms === null ? null : Number(row.done_ms),
    problem: row.problem === null ? null : String(row.problem),
    rows: Number(row.rows),
    chunks: Number(row.chunks),
    archived: Number(row.archived),
  };
}

function erasureOf(row: Record<string, SQLOutputValue>): Erasure {
  const claims = StoredClaims.parse(JSON.parse(String(row.claims)));
  const where = String(row.where_sql);
  const record = { where, token: String(row.token) };
  return { ...claims, where, operator: String(row.operator), record };
}

const StoredClaims = EraseClaims.omit({ kind: true, sql_sha256: true, expires_at_ms: true });
