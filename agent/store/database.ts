/** agent.db: the only commit point of an agent's store. Opened by one writer, read by others. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/** Raised with every change of the tables below; a newer file is refused, an older one migrated. */
const FORMAT_VERSION = 1;

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE generations (
    id TEXT PRIMARY KEY, stream TEXT NOT NULL, path TEXT NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL,
    durable_offset INTEGER NOT NULL, lines INTEGER NOT NULL,
    head_sha256 TEXT, head_bytes INTEGER NOT NULL, tail_sha256 TEXT, content_sha256 TEXT,
    first_seen_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE files (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('part', 'chunk')),
    stream TEXT NOT NULL, hour TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    ts_min_us INTEGER NOT NULL, ts_max_us INTEGER NOT NULL,
    runs TEXT NOT NULL, sha256 TEXT, created_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX files_by_hour ON files (stream, hour);
  CREATE TABLE sealings (
    chunk TEXT PRIMARY KEY, stream TEXT NOT NULL, hour TEXT NOT NULL, parts TEXT NOT NULL) STRICT;
  CREATE TABLE seen (id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT;
`;

/** The path of the database of a data folder. */
export function databasePath(dataDir: string): string {
  return join(dataDir, "agent.db");
}

/** Opens agent.db, making or migrating it. @throws {LogvendError} unavailable */
export function openDatabase(dataDir: string, options: { readOnly: boolean }): DatabaseSync {
  const path = databasePath(dataDir);
  try {
    const database = new DatabaseSync(path, { readOnly: options.readOnly });
    if (!options.readOnly) prepare(database);
    checkVersion(database, path);
    return database;
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    throw new LogvendError("unavailable", `Cannot open ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Runs `work` as one transaction: all of it is committed and synced, or nothing is. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function prepare(database: DatabaseSync) {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
  const fresh = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get();
  if (fresh !== undefined) return;
  transaction(database, () => {
    database.exec(TABLES);
    database.prepare("INSERT INTO meta VALUES ('format_version', ?)").run(String(FORMAT_VERSION));
  });
}

function checkVersion(database: DatabaseSync, path: string) {
  const row = database.prepare("SELECT value FROM meta WHERE key = 'format_version'").get();
  if (row?.value !== String(FORMAT_VERSION)) {
    throw new LogvendError(
      "unavailable",
      `${path} has format ${row?.value}, this program writes ${FORMAT_VERSION}: use the newer program`,
    );
  }
}
