/** Whether a Parquet file holds the rows of a chunk, although its bytes are others. */
import { literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import type { StoredFile } from "../database/catalog.ts";
import { readMetadata } from "../files/file_metadata.ts";

/** A chunk's id says where its rows come from; sealed again, they may lie differently. */
export async function isSameChunk(path: string, { id, rows }: StoredFile): Promise<boolean> {
  await using engine = await Engine.open();
  const read = await readMetadata(engine, path);
  if (read.kind !== "whole" || read.metadata.id !== id || read.metadata.rows !== rows) return false;
  const counted = await engine.read(
    `SELECT count(*) FROM read_parquet(${literal(path)}, hive_partitioning = false)`,
  );
  return Number(counted.rows[0]?.[0]) === rows;
}
