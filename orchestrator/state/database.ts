/** orchestrator.db: what an orchestrator must still know after a restart (SQLite). */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { ERASURES_TABLES } from "./erasures.ts";

/** Raised with every change of the tables below; the old ones are then migrated here. */
const SCHEMA_VERSION = 3;

const TABLES = `
  CREATE TABLE IF NOT EXISTS hosts (
    host TEXT PRIMARY KEY,
    presence TEXT NOT NULL,
    seen_ms INTEGER,
    retired_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS queries (
    id TEXT PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS queries_started ON queries (started_ms);
  ${ERASURES_TABLES}
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Opens or creates it in the data folder, which must exist. @throws {LogvendError} bad_config */
export function openDatabase(dataFolder: string): DatabaseSync {
  const path = join(dataFolder, "orchestrator.db");
  try {
    const database = new DatabaseSync(path);
    // A power cut may cost the last seconds, no more; no query waits for the disk.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > SCHEMA_VERSION) {
      database.close();
      throw new Error(`it was written by a newer logvend (schema ${version})`);
    }
    if (version === 1) database.exec("ALTER TABLE hosts ADD COLUMN retired_ms INTEGER");
    database.exec(TABLES);
    return database;
  } catch (cause) {
    const reason = messageOf(cause);
    throw new LogvendError("bad_config", `Cannot open ${path}: ${reason}; check data_dir`, {
      cause,
    });
  }
}
