/** agent.db: the only commit point of an agent's store. Opened by one writer, read by others. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import { ACCESS_SHAPE } from "../../../protocol/schema/stream_shape.ts";
import { ACCOUNTING_MIGRATION, ACCOUNTING_TABLE } from "../../account/book.ts";
import { PACKED_TABLE } from "./packed_book.ts";
import { QUERY_LOG_TABLE } from "../../query_log/query_log.ts";
import { ARCHIVED_TABLE } from "./archive_book.ts";
import { DENIED_TABLE } from "./denied.ts";
import { DIGESTS_TABLE, keepDigests, renewDigests, wrongDigest } from "./digests.ts";
import { ERASURES_TABLES } from "./erasures.ts";
import { FORMER_MIGRATION, FORMER_TABLES } from "../recovery/former_lines.ts";
import { GAPS_TABLE } from "./gaps.ts";
import { REMOVED_MIGRATION, REMOVED_TABLE } from "./removed.ts";
import { WINDOWS_TABLES } from "./touched.ts";
import { transaction } from "./transaction.ts";
import { VERIFIED_TABLE } from "../files/verify.ts";

/** Raised with every change of the tables below; a newer file is refused, an older one migrated. */
const FORMAT_VERSION = 13;

/** From this version on PRAGMA user_version has it too: a flipped bit makes them differ. */
const NOTED_TWICE = 5;

/** What the rows of each stream are made of, as JSON. */
const STREAMS_TABLE = `
  CREATE TABLE streams (stream TEXT PRIMARY KEY, shape TEXT NOT NULL) STRICT;
`;

/** New columns come last: tables that were migrated have them there. */
const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE generations (
    id TEXT PRIMARY KEY, stream TEXT NOT NULL, path TEXT NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL,
    durable_offset INTEGER NOT NULL, lines INTEGER NOT NULL,
    head_sha256 TEXT, head_bytes INTEGER NOT NULL, tail_sha256 TEXT, content_sha256 TEXT,
    first_seen_ms INTEGER NOT NULL,
    start_offset INTEGER NOT NULL DEFAULT 0, input_path TEXT NOT NULL DEFAULT '',
    began_offset INTEGER) STRICT;
  CREATE TABLE files (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('part', 'chunk')),
    stream TEXT NOT NULL, hour TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    ts_min_us INTEGER NOT NULL, ts_max_us INTEGER NOT NULL,
    runs TEXT NOT NULL, sha256 TEXT, created_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX files_by_hour ON files (stream, hour);
  CREATE TABLE sealings (
    chunk TEXT PRIMARY KEY, stream TEXT NOT NULL, hour TEXT NOT NULL, parts TEXT NOT NULL) STRICT;
  ${STREAMS_TABLE}
  CREATE TABLE seen (id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT;
  ${ACCOUNTING_TABLE}
  ${GAPS_TABLE}
  ${VERIFIED_TABLE}
  ${REMOVED_TABLE}
  ${DIGESTS_TABLE}
  ${QUERY_LOG_TABLE}
  ${DENIED_TABLE}
  ${WINDOWS_TABLES}
  ${ARCHIVED_TABLE}
  ${ERASURES_TABLES}
  ${FORMER_TABLES}
  ${PACKED_TABLE}
`;

/** What makes the next version of a version. */
const MIGRATIONS: Readonly<Record<number, string>> = {
  // Nobody counted whose rows there are: counting starts where each generation stands.
  1: `
    ALTER TABLE generations ADD COLUMN start_offset INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE generations ADD COLUMN input_path TEXT NOT NULL DEFAULT '';
    UPDATE generations SET start_offset = durable_offset, lines = 0, input_path = path;
    ${ACCOUNTING_TABLE}
    INSERT INTO accounting
      SELECT stream, hour, '', 'uncounted', '', sum(rows), 0 FROM files GROUP BY stream, hour;
  `,
  2: GAPS_TABLE,
  3: VERIFIED_TABLE + REMOVED_TABLE,
  4: DIGESTS_TABLE,
  // All streams were access logs.
  5: `${STREAMS_TABLE}
    INSERT INTO streams SELECT DISTINCT stream, '${JSON.stringify(ACCESS_SHAPE)}' FROM files;`,
  6: QUERY_LOG_TABLE,
  7: DENIED_TABLE,
  8: WINDOWS_TABLES,
  9: ARCHIVED_TABLE,
  10: ACCOUNTING_MIGRATION + REMOVED_MIGRATION + ERASURES_TABLES,
  11: FORMER_MIGRATION,
  12: PACKED_TABLE,
};

/** What SQLite says of a file that is none of its own, or no whole one. */
const CORRUPT = /malformed|not a database|no such (table|column)/i;

/** The path of the database of a data folder. */
export function databasePath(dataDir: string): string {
  return join(dataDir, "agent.db");
}

/** Opens agent.db, making or migrating it. @throws {LogvendError} unavailable */
export function openDatabase(dataDir: string, options: { readOnly: boolean }): DatabaseSync {
  const path = databasePath(dataDir);
  try {
    return openFile(path, options.readOnly);
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    const advice = isCorrupt(cause) ? "; start the agent, which makes it anew from its files" : "";
    throw new LogvendError(
      "unavailable",
      `Cannot open ${path}: ${messageOf(cause)}${advice}`,
      { cause },
    );
  }
}

/** agent.db, and what was wrong with the one that was there. */
export interface SoundDatabase {
  database: DatabaseSync;
  /** Nothing was in it before: what files there are, only they themselves know. */
  isNew: boolean;
  /** A damaged one, and where it lies now. */
  damaged: { reason: string; path: string } | null;
}

/** The same for the one writer: a damaged agent.db is set aside, and an empty one takes its place. */
export async function openSoundDatabase(dataDir: string): Promise<SoundDatabase> {
  const path = databasePath(dataDir);
  const isNew = !await hasBytes(path);
  if (isNew) await setAside(path); // what is left of its log belongs to nothing
  const reason = isNew ? null : damageOf(path);
  const damaged = reason === null ? null : { reason, path: await setAside(path) };
  const database = openDatabase(dataDir, { readOnly: false });
  return { database, isNew: isNew || damaged !== null, damaged };
}

/** What is wrong with a database; null when nothing is, or nothing that setting it aside heals. */
function damageOf(path: string): string | null {
  try {
    const database = openFile(path, false);
    try {
      const found = database.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
      if (found !== "ok") return String(found);
      const wrong = wrongDigest(database);
      return wrong === null ? null : `table ${wrong} is not what was written`;
    } finally {
      database.close();
    }
  } catch (error) {
    return isCorrupt(error) ? messageOf(error) : null;
  }
}

/** Renames a database and its log. Returns where it lies then. */
async function setAside(path: string): Promise<string> {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(/[:.]/g, "")}`;
  for (const ending of ["", "-wal", "-shm"]) {
    try {
      await Deno.rename(path + ending, aside + ending);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return aside;
}

async function hasBytes(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function isCorrupt(error: unknown): boolean {
  return error instanceof Error && CORRUPT.test(error.message);
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly });
  try {
    if (!readOnly) prepare(database, path);
    checkVersion(database, path);
    if (!readOnly) keepDigests(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepare(database: DatabaseSync, path: string) {
  database.exec("PRAGMA busy_timeout = 5000");
  const names = database.prepare("SELECT name FROM sqlite_schema").all().map(({ name }) => name);
  if (names.length > 0 && !names.includes("meta")) throw new Error("malformed: it has no meta");
  const found = names.length === 0 ? null : versionOf(database);
  if (found !== null && found > FORMAT_VERSION) return checkVersion(database, path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (found === FORMAT_VERSION) return;
  transaction(database, () => {
    let version = found ?? FORMAT_VERSION;
    if (found === null) database.exec(TABLES);
    for (let sql = MIGRATIONS[version]; sql !== undefined; sql = MIGRATIONS[++version]) {
      database.exec(sql);
    }
    database.prepare("INSERT OR REPLACE INTO meta VALUES ('format_version', ?)")
      .run(String(version));
    database.exec(`PRAGMA user_version = ${version}`);
    renewDigests(database);
  });
}

/** @throws when it cannot be told */
function versionOf(database: DatabaseSync): number {
  const row = database.prepare("SELECT value FROM meta WHERE key = 'format_version'").get();
  const version = Number(row?.value);
  const again = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (again !== (version < NOTED_TWICE ? 0 : version)) {
    throw new Error(`malformed: its format is ${version}, or ${again}`);
  }
  return version;
}

function checkVersion(database: DatabaseSync, path: string) {
  const version = versionOf(database);
  if (version === FORMAT_VERSION) return;
  throw new LogvendError(
    "unavailable",
    `${path} has format ${version}, this program has ${FORMAT_VERSION}: ` +
      (version > FORMAT_VERSION
        ? "use the newer program"
        : "start the agent once, which converts it"),
  );
}
