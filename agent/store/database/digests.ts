/**
 * Notices flipped bits in agent.db: SQLite checks how its pages hang together, not what they say.
 * Of every row that tells where rows lie and where reading goes on there is a digest.
 */
import type { DatabaseSync } from "node:sqlite";
import { sha256Hex } from "../../../protocol/sha256.ts";

/** In agent.db from format version 5 on. `id` is a row's first column. */
export const DIGESTS_TABLE = `
  CREATE TABLE digests (
    about TEXT NOT NULL, id TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (about, id)) STRICT;
`;

/** Wrong counts do no harm to rows, and would be lost if agent.db were made anew for them. */
const ABOUT = ["generations", "files", "sealings", "former_generations", "archived_lines"];

const SCHEMA = "SELECT json_group_array(sql ORDER BY name) FROM sqlite_schema WHERE type = 'table'";

/** Of what there is already: after the tables were made or migrated. */
export function renewDigests(database: DatabaseSync) {
  defineDigest(database);
  database.exec("DELETE FROM digests");
  for (const table of ABOUT) {
    const { id, row } = columnsOf(database, table);
    database.exec(`INSERT INTO digests SELECT '${table}', ${id}, digest(${row()}) FROM ${table}`);
  }
  database.exec(`INSERT INTO digests VALUES ('schema', '', digest((${SCHEMA})))`);
}

/** From here on everything that this connection changes gets its digest in the same commit. */
export function keepDigests(database: DatabaseSync) {
  defineDigest(database);
  for (const table of ABOUT) {
    const { id, row } = columnsOf(database, table);
    const put = `INSERT INTO digests VALUES ('${table}', new.${id}, digest(${row("new.")}))
      ON CONFLICT DO UPDATE SET sha256 = excluded.sha256;`;
    database.exec(`
      CREATE TEMP TRIGGER ${table}_inserted AFTER INSERT ON ${table} BEGIN ${put} END;
      CREATE TEMP TRIGGER ${table}_updated AFTER UPDATE ON ${table} BEGIN ${put} END;
      CREATE TEMP TRIGGER ${table}_deleted AFTER DELETE ON ${table} BEGIN
        DELETE FROM digests WHERE about = '${table}' AND id = old.${id};
      END;
    `);
  }
}

/** A table of which something is not what was written; null for none. @throws on a damaged schema */
export function wrongDigest(database: DatabaseSync): string | null {
  defineDigest(database);
  const isSchemaRight = database.prepare(
    `SELECT 1 FROM digests WHERE about = 'schema' AND sha256 = digest((${SCHEMA}))`,
  ).get() !== undefined;
  if (!isSchemaRight) return "sqlite_schema";
  const wrong = ABOUT.find((table) => {
    const { id, row } = columnsOf(database, table);
    const noted = `(SELECT count(*) FROM digests WHERE about = '${table}')`;
    return database.prepare(
      `SELECT 1 WHERE ${noted} <> (SELECT count(*) FROM ${table}) OR EXISTS (
         SELECT 1 FROM ${table} LEFT JOIN digests ON about = '${table}' AND digests.id = ${table}.${id}
         WHERE digests.sha256 IS NOT digest(${row(`${table}.`)}))`,
    ).get() !== undefined;
  });
  return wrong ?? null;
}

function defineDigest(database: DatabaseSync) {
  database.function(
    "digest",
    { deterministic: true },
    (text) => sha256Hex(String(text)),
  );
}

/** The name of the first column, and all of a row as one text. */
function columnsOf(database: DatabaseSync, table: string) {
  const names = database.prepare("SELECT name FROM pragma_table_info(?)").all(table)
    .map(({ name }) => String(name));
  return {
    id: names[0] ?? "",
    row: (of = "") => `json_array(${names.map((name) => of + name).join(", ")})`,
  };
}
