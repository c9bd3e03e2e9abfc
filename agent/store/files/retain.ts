/** Retention: which sealed chunks are too old or too much, the oldest hours first. */
import type { DatabaseSync } from "node:sqlite";

/** What may stay; both are optional. */
export interface Retention {
  /** Of the newest row of a chunk. */
  ageMs?: number | undefined;
  /** Of all parts and chunks together. */
  bytes?: number | undefined;
  /** Which of these chunks may really go. @default all of them */
  confirm?: ((ids: readonly string[]) => Promise<string[]>) | undefined;
}

/** Whether chunks stay that the archive does not have, for SQL. */
const KEPT = "($onlyArchived = 0 OR EXISTS (SELECT 1 FROM archived WHERE archived.id = files.id))";

/** Ids of the chunks that have to go. Parts stay, whatever their age: they are sealed first. */
export function expiredChunks(
  database: DatabaseSync,
  { ageMs, bytes }: Retention,
  { nowMs, onlyArchived }: { nowMs: number; onlyArchived: boolean },
): string[] {
  const expired = ageMs === undefined ? [] : database.prepare(
    `SELECT id FROM files WHERE kind = 'chunk' AND ts_max_us < $untilUs AND ${KEPT}
     ORDER BY ts_max_us`,
  ).all({ untilUs: (nowMs - ageMs) * 1_000, onlyArchived: Number(onlyArchived) })
    .map(({ id }) => String(id));
  const surplus = bytes === undefined
    ? []
    : oldestChunks(database, storedBytes(database) - bytes, onlyArchived);
  return [...new Set([...expired, ...surplus])];
}

/** Ids of the oldest chunks that together hold at least so many bytes, or of all there are. */
export function oldestChunks(
  database: DatabaseSync,
  bytes: number,
  onlyArchived: boolean,
): string[] {
  if (bytes <= 0) return [];
  const ids: string[] = [];
  let left = bytes;
  const oldestFirst = database.prepare(
    `SELECT id, bytes FROM files WHERE kind = 'chunk' AND ${KEPT} ORDER BY hour, created_ms, rowid`,
  );
  for (const row of oldestFirst.iterate({ onlyArchived: Number(onlyArchived) })) {
    if (left <= 0) break;
    ids.push(String(row.id));
    left -= Number(row.bytes);
  }
  return ids;
}

/** Bytes of all parts and chunks. */
export function storedBytes(database: DatabaseSync): number {
  const row = database.prepare("SELECT coalesce(sum(bytes), 0) AS bytes FROM files").get();
  return Number(row?.bytes);
}
