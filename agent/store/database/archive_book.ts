/** Which chunks the archive has, in agent.db: what was uploaded is known only once it says so here. */
import type { DatabaseSync } from "node:sqlite";
import type { Catalog, StoredFile } from "./catalog.ts";
import { FormerFolder } from "../recovery/former_folder.ts";
import { FormerLines } from "../recovery/former_lines.ts";
import { IS_TO_BE_ERASED } from "./erasures.ts";
import type { Reserve } from "./reserve.ts";

/**
 * The table, in agent.db from format version 8 on. Rows stay when their chunk has left the host.
 * The checksum and size are those of the object: it may have been written by an earlier sealing.
 */
export const ARCHIVED_TABLE = `
  CREATE TABLE archived (
    id TEXT PRIMARY KEY, stream TEXT NOT NULL, hour TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, archived_ms INTEGER NOT NULL) STRICT;
`;

/** Of files, for SQL. */
const LACKING = "NOT EXISTS (SELECT 1 FROM archived WHERE archived.id = files.id)";

/** Chunks that erasures have still to be applied to are not archived as they are. */
const MAY_GO = `kind = 'chunk' AND ${LACKING} AND NOT ${IS_TO_BE_ERASED}`;

/** An object as it was verified. */
export interface ArchivedObject {
  sha256: string;
  bytes: number;
}

/** Chunks that the archive does not have. */
export interface Backlog {
  chunks: number;
  bytes: number;
  /** When the oldest of them was sealed; null without any. */
  sinceMs: number | null;
}

export interface ArchiveBookOptions {
  database: DatabaseSync;
  catalog: Catalog;
  /** What is archived may be what a full disk waits for to get rid of. */
  reserve: Reserve;
  clock: () => number;
}

export class ArchiveBook {
  /** What it has from before this data folder. */
  readonly former: FormerFolder;
  /** The lines of that, of log files that may be here still. */
  readonly formerLines: FormerLines;

  constructor(private readonly options: ArchiveBookOptions) {
    this.former = new FormerFolder(options);
    this.formerLines = new FormerLines(options);
  }

  /** The oldest chunk that the archive does not have, and that is none of `but`. */
  next(but: ReadonlySet<string> = new Set()): StoredFile | null {
    const row = this.options.database.prepare(
      `SELECT id FROM files WHERE ${MAY_GO}
         AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY hour, created_ms, rowid LIMIT 1`,
    ).get(JSON.stringify([...but]));
    return row === undefined ? null : this.options.catalog.file(String(row.id)) ?? null;
  }

  /** The archive has it, as this object. */
  note({ id, stream, hour }: StoredFile, { sha256, bytes }: ArchivedObject) {
    const { database, reserve, clock } = this.options;
    const put = database.prepare("INSERT OR REPLACE INTO archived VALUES (?, ?, ?, ?, ?, ?)");
    reserve.spend(() => put.run(id, stream, hour, sha256, bytes, clock()));
  }

  /** The archive has lost it: it is uploaded again. */
  forget(id: string) {
    this.options.database.prepare("DELETE FROM archived WHERE id = ?").run(id);
  }

  /** Null: the archive does not have it. */
  find(id: string): ArchivedObject | null {
    const row = this.options.database.prepare("SELECT sha256, bytes FROM archived WHERE id = ?")
      .get(id);
    return row === undefined ? null : { sha256: String(row.sha256), bytes: Number(row.bytes) };
  }

  /** Where a chunk lies, here and there; null: it is not here. */
  pathOf(id: string): string | null {
    return this.options.catalog.file(id)?.path ?? null;
  }

  backlog(): Backlog {
    const row = this.options.database.prepare(
      `SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes, min(created_ms) AS since
       FROM files WHERE kind = 'chunk' AND ${LACKING}`,
    ).get();
    return {
      chunks: Number(row?.chunks),
      bytes: Number(row?.bytes),
      sinceMs: typeof row?.since === "number" ? row.since : null,
    };
  }

  /** All that there was. */
  total(): { chunks: number; bytes: number } {
    const row = this.options.database.prepare(
      "SELECT count(*) AS chunks, coalesce(sum(bytes), 0) AS bytes FROM archived",
    ).get();
    return { chunks: Number(row?.chunks), bytes: Number(row?.bytes) };
  }

  /**
   * Until when the archive has everything that is durable here: the first hour that it lacks, else
   * the end of the last that it has. Null: it has nothing.
   */
  untilMs(): number | null {
    const row = this.options.database.prepare(
      `SELECT (SELECT min(hour) FROM files WHERE ${LACKING}) AS lacking,
              (SELECT max(hour) FROM archived) AS last`,
    ).get();
    if (typeof row?.last !== "string") return null;
    const lastMs = hourMs(row.last) + 3_600_000;
    return typeof row.lacking === "string" ? Math.min(hourMs(row.lacking), lastMs) : lastMs;
  }
}

function hourMs(hour: string): number {
  return Date.parse(`${hour}:00:00Z`);
}
