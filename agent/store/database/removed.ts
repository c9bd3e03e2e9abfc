/** Files that have left the store: why, and what they held. agent.db says so before they go. */
import { basename } from "node:path";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { StoredFile } from "./catalog.ts";
import { sha256Hex } from "../../../protocol/sha256.ts";
import { REJECTS } from "../../../protocol/schema/streams.ts";
import { transaction } from "./transaction.ts";

/**
 * Why a file is out: too old or too much (`retention`), no room (`quota`), other bytes than were
 * written (`corrupt`), not there (`missing`), of a write that never ended (`unfinished`), written
 * anew without some rows (`erased`: then `rows` are those).
 */
export type RemovalReason =
  | "retention"
  | "quota"
  | "corrupt"
  | "missing"
  | "unfinished"
  | "erased";

/** For SQL: the reasons of what nobody wanted gone. */
export const LOST = "('corrupt', 'missing')";

/**
 * The table, in agent.db from format version 4 on. Its first columns are those of `files`.
 * `on_disk`: 1, the file may still have to be deleted, or set aside; 2, it has to be deleted in any case.
 */
export const REMOVED_TABLE = `
  CREATE TABLE removed (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL,
    stream TEXT NOT NULL, hour TEXT NOT NULL, path TEXT NOT NULL,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    ts_min_us INTEGER NOT NULL, ts_max_us INTEGER NOT NULL,
    runs TEXT NOT NULL, sha256 TEXT, created_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
      CHECK (reason IN ('retention', 'quota', 'corrupt', 'missing', 'unfinished', 'erased')),
    removed_ms INTEGER NOT NULL, on_disk INTEGER NOT NULL) STRICT;
`;

/** Chunks of some tables that left for age or room, and the hours that they are of. */
export function retiredChunks(
  database: DatabaseSync,
  tables: readonly string[],
  { sinceUs, untilUs }: { sinceUs: number; untilUs: number },
): { id: string; hour: string }[] {
  return database.prepare(
    `SELECT id, hour FROM removed WHERE reason IN ('retention', 'quota') AND kind = 'chunk'
     AND stream IN (SELECT value FROM json_each(?)) AND ts_max_us >= ? AND ts_min_us < ?`,
  ).all(JSON.stringify(tables), sinceUs, untilUs)
    .map(({ id, hour }) => ({ id: String(id), hour: String(hour) }));
}
/** Chunks are erased from version 11 on. */
export const REMOVED_MIGRATION = `
  ALTER TABLE removed RENAME TO removed_before;
  ${REMOVED_TABLE}
  INSERT INTO removed SELECT * FROM removed_before;
  DROP TABLE removed_before;
`;

/** A file that is out, as far as its way off the disk needs it. */
export interface RemovedFile {
  id: string;
  /** Relative to the data folder. */
  path: string;
  reason: RemovalReason;
  /** It may hold rows that an erasure means: it is not set aside. */
  isErased: boolean;
}

/** Of damaged files, for SQL: they may hold what an erasure means. Where times are not known they may. */
const MAY_HOLD_ERASED = `removed.stream IN (erasures.stream, '${REJECTS}')
  AND (ts_max_us <= 0 OR (ts_max_us >= erasures.since_us AND ts_min_us < erasures.until_us))
  AND NOT EXISTS (SELECT 1 FROM erasures_applied
    WHERE erasures_applied.erasure = erasures.id AND erasures_applied.chunk = $id)`;

/** Files that are lost, and the rows that were in them. */
export interface Lost {
  files: number;
  rows: number;
}

/** Files and rows that left a stream for one reason. */
export interface RemovedTotal extends Lost {
  stream: string;
  reason: RemovalReason;
  bytes: number;
}

/**
 * One commit: files are out of the store, and so are sealings that need them. Those that agent.db
 * does not name (any more) are left alone. Returns the ids of those that are out now.
 */
export function markRemoved(
  database: DatabaseSync,
  ids: readonly string[],
  { reason, nowMs }: { reason: RemovalReason; nowMs: number },
): string[] {
  return transaction(database, () => ids.filter((id) => markOne(database, id, reason, nowMs)));
}

function markOne(database: DatabaseSync, id: string, reason: RemovalReason, nowMs: number) {
  const onDisk = reason === "missing" ? 0 : 1;
  database.prepare(
    `INSERT OR REPLACE INTO removed SELECT *, $reason, $nowMs, $onDisk FROM files WHERE id = $id`,
  ).run({ id, reason, nowMs, onDisk });
  noteErased(database, id); // while it is known what has been applied to it
  database.prepare(
    "DELETE FROM sealings WHERE EXISTS (SELECT 1 FROM json_each(parts) WHERE value = ?)",
  ).run(id);
  return database.prepare("DELETE FROM files WHERE id = ?").run(id).changes === 1;
}

/** Says of a damaged file that it goes, where it may hold what an erasure means. */
function noteErased(database: DatabaseSync, id: string) {
  database.prepare(
    `UPDATE removed SET on_disk = 2
     WHERE id = $id AND on_disk = 1 AND reason IN ('corrupt', 'unfinished')
       AND EXISTS (SELECT 1 FROM erasures WHERE ${MAY_HOLD_ERASED})`,
  ).run({ id });
}

/**
 * Notes files that agent.db never named, and that are to be set aside. Where the id of one is another
 * file's, which is or was in the store or lies beside it, it is noted by its path too.
 */
export function noteSetAside(
  database: DatabaseSync,
  files: readonly StoredFile[],
  { reason, nowMs }: { reason: RemovalReason; nowMs: number },
) {
  transaction(database, () => {
    for (const file of files) {
      const id = isTaken(database, file.id) ? `${file.id} ${file.path}` : file.id;
      database.prepare(
        `INSERT OR REPLACE INTO removed VALUES ($id, $kind, $stream, $hour, $path, $rows, $bytes,
           $tsMinUs, $tsMaxUs, $runs, $sha256, $createdMs, $reason, $nowMs, 1)`,
      ).run({ ...file, id, runs: JSON.stringify(file.runs), reason, nowMs });
      noteErased(database, id);
    }
  });
}

function isTaken(database: DatabaseSync, id: string): boolean {
  return database.prepare(
    "SELECT 1 FROM files WHERE id = $id UNION ALL SELECT 1 FROM removed WHERE id = $id",
  ).get({ id }) !== undefined;
}

/** What a file is called that is set aside: its own name, behind a hash of its path where it has another's id. */
export function nameAside({ id, path }: Pick<RemovedFile, "id" | "path">): string {
  const name = basename(path);
  return id.endsWith(path) ? `${sha256Hex(path).slice(0, 16)}.${name}` : name;
}

/** Files that are out and may still lie where they were. */
export function unfinishedRemovals(database: DatabaseSync): RemovedFile[] {
  return database.prepare("SELECT id, path, reason, on_disk FROM removed WHERE on_disk > 0").all()
    .map((row) => ({
      id: String(row.id),
      path: String(row.path),
      reason: reasonOf(row),
      isErased: row.on_disk === 2,
    }));
}

/** The names of files that were set aside and surely hold nothing of these streams and this range. */
export function filesBeside(
  database: DatabaseSync,
  range: { streams: readonly string[]; sinceUs: number; untilUs: number },
): string[] {
  const { streams, ...times } = range;
  return database.prepare(
    `SELECT id, path FROM removed WHERE reason IN ('corrupt', 'unfinished')
       AND (stream NOT IN (SELECT value FROM json_each($streams))
         OR (ts_max_us > 0 AND (ts_max_us < $sinceUs OR ts_min_us >= $untilUs)))`,
  ).all({ streams: JSON.stringify(streams), ...times })
    .map(({ id, path }) => nameAside({ id: String(id), path: String(path) }));
}

/** Notes that a file lies no more where it was. */
export function finishRemoval(database: DatabaseSync, id: string) {
  database.prepare("UPDATE removed SET on_disk = 0 WHERE id = ?").run(id);
}

/** The missing ones, by path: they may come back. */
export function missingFiles(database: DatabaseSync): Map<string, string> {
  const rows = database.prepare("SELECT id, path FROM removed WHERE reason = 'missing'").all();
  return new Map(rows.map(({ id, path }) => [String(path), String(id)]));
}

/** One commit: files that were missing are there again. */
export function bringBack(database: DatabaseSync, ids: readonly string[]) {
  transaction(database, () => {
    for (const id of ids) {
      database.prepare(
        `INSERT INTO files SELECT id, kind, stream, hour, path, rows, bytes, ts_min_us, ts_max_us,
           runs, sha256, created_ms FROM removed WHERE id = ?`,
      ).run(id);
      database.prepare("DELETE FROM removed WHERE id = ?").run(id);
    }
  });
}

/** What was lost of these tables and touches a range of microseconds. */
export function lostIn(
  database: DatabaseSync,
  tables: readonly string[],
  range: { sinceUs: number; untilUs: number },
): Lost {
  const row = database.prepare(
    `SELECT count(*) AS files, coalesce(sum(rows), 0) AS rows FROM removed
     WHERE reason IN ${LOST} AND stream IN (SELECT value FROM json_each($tables))
       AND ts_max_us >= $sinceUs AND ts_min_us < $untilUs`,
  ).get({ tables: JSON.stringify(tables), ...range });
  return { files: Number(row?.files), rows: Number(row?.rows) };
}

/** Sums by stream and reason. */
export function removedTotals(database: DatabaseSync): RemovedTotal[] {
  return database.prepare(
    `SELECT stream, reason, count(*) AS files, sum(rows) AS rows, sum(bytes) AS bytes
     FROM removed GROUP BY 1, 2 ORDER BY 1, 2`,
  ).all().map((row) => ({
    stream: String(row.stream),
    reason: reasonOf(row),
    files: Number(row.files),
    rows: Number(row.rows),
    bytes: Number(row.bytes),
  }));
}

function reasonOf(row: Record<string, SQLOutputValue>): RemovalReason {
  return row.reason as RemovalReason; // the table's CHECK lets nothing else in
}
