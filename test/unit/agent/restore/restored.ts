/** What the restoring SQL makes of a data folder. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { linesSelect } from "../../../../queries/restore/restore_sql.ts";
import { PORTION_BYTES_MAX, portionsOf } from "../../../../queries/restore/slices.ts";
import { Catalog } from "../../../../agent/store/database/catalog.ts";
import { openDatabase } from "../../../../agent/store/database/database.ts";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import { REJECTS, schemaOf } from "../../../../protocol/schema/streams.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";

/** Which lines. */
export interface RestoredOptions {
  stream?: string;
  /** A condition over its columns. */
  where?: string;
  /** Of a portion. */
  bytesMax?: number;
}

/** The text of a stream's files as hex, by path. */
export async function restored(
  dataDir: string,
  { stream = "logs", where, bytesMax = PORTION_BYTES_MAX }: RestoredOptions = {},
): Promise<Map<string, string>> {
  const { generations, files } = readBooks(dataDir);
  const sources = generations.filter((generation) => generation.stream === stream)
    .map(({ id, path, offset }) => ({ id, path, bytes: offset }));
  const placed = (name: string) =>
    files.filter((file) => file.stream === name)
      .map(({ path, runs }) => ({ path: join(dataDir, path), runs }));
  const rejects = placed(REJECTS).map(({ path }) => path);
  const texts = new Map<string, string>();
  await using engine = await Engine.open();
  for (const portion of portionsOf(sources, [...placed(stream), ...placed(REJECTS)], bytesMax)) {
    const sql = linesSelect({
      stream,
      schema: schemaOf(stream, storedShape(dataDir, stream)),
      region: "eu",
      range: { since: null, until: null },
      where: where ?? null,
      slices: portion.slices,
      files: portion.files.filter((path) => !rejects.includes(path)),
      rejects: rejects.filter((path) => portion.files.includes(path)),
    });
    await engine.run(`CREATE OR REPLACE TABLE lines AS ${sql}`);
    const { rows } = await engine.read("SELECT piece, hex(bytes) FROM lines ORDER BY rowid");
    for (const [piece, hex] of rows) {
      const path = portion.slices[Number(piece)]?.source.path ?? "";
      texts.set(path, (texts.get(path) ?? "") + String(hex));
    }
  }
  return texts;
}

function storedShape(dataDir: string, stream: string) {
  const database: DatabaseSync = openDatabase(dataDir, { readOnly: true });
  try {
    return new Catalog(database).shape(stream) ?? undefined;
  } finally {
    database.close();
  }
}
