/** orchestrator.db: what an orchestrator must still know after a restart (SQLite). */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/** Raised with every change of the tables below; the old ones are then migrated here. */
const SCHEMA_VERSION = 2;

const TABLES = `
  CREATE TABLE IF NOT EXISTS hosts (
    host TEXT PRIMARY KEY,
    presence TEXT NOT NULL,
    seen_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS retired (
    host TEXT PRIMARY KEY,
    retired_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Opens or creates it in the data folder, which must exist. @throws {LogvendError} bad_config */
export function openDatabase(dataFolder: string): DatabaseSync {
  const path = join(dataFolder, "orchestrator.db");
  try {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > SCHEMA_VERSION) {
      database.close();
      throw new Error(`it was written by a newer logvend (schema ${version})`);
    }
    database.exec(TABLES);
    return database;
  } catch (cause) {
    const reason = messageOf(cause);
    throw new LogvendError("bad_config", `Cannot open ${path}: ${reason}; check data_dir`, {
      cause,
    });
  }
}
