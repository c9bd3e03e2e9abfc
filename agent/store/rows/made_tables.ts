/** Tables that no file holds: each is made for one query, as a Parquet file that goes with it. */
import { dirname, join } from "node:path";
import { schemaOf } from "../../../protocol/schema/streams.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { duckdbType } from "../../../queries/duckdb/types.ts";
import type { DuckDBValue } from "../../../queries/duckdb/types.ts";
import { removeIfThere } from "../../../protocol/durable_file.ts";
import type { SnapshotTable } from "../snapshot.ts";

/** By table: writes its file to a path. */
export type TableMakers = Readonly<Record<string, (path: string) => Promise<SnapshotTable>>>;

/** Makes those of the asked tables that are made. Their owner deletes their files. */
export async function makeTables(
  asked: readonly string[],
  folder: string,
  makers: TableMakers,
): Promise<Map<string, SnapshotTable>> {
  const made = new Map<string, SnapshotTable>();
  for (const name of asked) {
    const path = join(folder, `${name}.${crypto.randomUUID()}.parquet`);
    try {
      const table = await makers[name]?.(path);
      if (table !== undefined) made.set(name, table);
    } catch (error) {
      for (const leftover of [path, ...filesOfTables(made)]) await removeIfThere(leftover);
      throw error;
    }
  }
  return made;
}

/** All files of some tables. */
export function filesOfTables(tables: ReadonlyMap<string, SnapshotTable>): string[] {
  return [...tables.values()].flatMap(({ files }) => files);
}

/** Writes one from its columns, by physical name, in the order of `ts`. */
export async function writeMadeTable(
  path: string,
  table: string,
  columns: Readonly<Record<string, DuckDBValue[]>>,
): Promise<SnapshotTable> {
  const { physical } = schemaOf(table);
  await Deno.mkdir(dirname(path), { recursive: true });
  await using engine = await Engine.open();
  const list = physical.map(({ name, type }) => `${name} ${type}`).join(", ");
  await engine.run(`CREATE TABLE made (${list})`);
  const types = physical.map(({ type }) => duckdbType(type));
  await engine.append("made", types, physical.map(({ name }) => columns[name] ?? []));
  await engine.run(`COPY (FROM made ORDER BY ALL) TO ${literal(path)} (FORMAT parquet)`);
  const rows = columns.ts?.length ?? 0;
  return { files: [path], rows, bytes: (await Deno.stat(path)).size };
}
