/** Gives a chunk another id, with the same rows: the archive has other ones under its own. */
import { dirname, join } from "node:path";
import { sealedId } from "../../../protocol/chunk/chunk_id.ts";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import { removeIfThere, writeDurably } from "../../../protocol/durable_file.ts";
import { SCHEMA_VERSION } from "../../../protocol/schema/streams.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import type { Catalog, StoredFile } from "../database/catalog.ts";
import type { Reserve } from "../database/reserve.ts";
import { readFooter } from "../../../queries/parquet/footer.ts";
import { joinFiles } from "../sealing/join_files.ts";
import type { Joined } from "../sealing/join_files.ts";
import { METADATA_KEY } from "./file_metadata.ts";
import type { Leases } from "./leases.ts";

export interface RenewContext {
  catalog: Catalog;
  leases: Leases;
  reserve: Reserve;
  dataDir: string;
}

/** Digits of the checksum that the new id is made with. */
const MARK_DIGITS = 16;

/**
 * The id is made of what the file holds, so a second try makes the same one. The new file is durable
 * before one commit swaps them; of two that a kill leaves a start deletes the one that agent.db does not
 * name (reconcile.ts). Null: the chunk has left the store meanwhile.
 */
export async function renewChunk(
  { catalog, leases, reserve, dataDir }: RenewContext,
  chunk: StoredFile & { sha256: string },
): Promise<StoredFile | null> {
  const place = parseChunkPath(chunk.path);
  if (place === null) throw new Error(`no chunk: ${chunk.path}`); // the store names its own
  const source = join(dataDir, chunk.path);
  const said = await metadataOf(source);
  const mark = chunk.sha256.slice(0, MARK_DIGITS);
  const schemaVersion = Number(said.schema_version ?? SCHEMA_VERSION);
  const id = sealedId(place, { schemaVersion, runs: chunk.runs, mark });
  const path = join(dirname(chunk.path), `${place.host}.${id}.parquet`);
  const value = JSON.stringify({ ...said, id, mark });
  let written: Joined = { rows: 0, bytes: 0, sha256: "" };
  await writeDurably(join(dataDir, path), async (target) => {
    using file = await Deno.open(source);
    const footer = await readFooter(file);
    written = await joinFiles([{ path: source, footer }], target, { key: METADATA_KEY, value });
    if (written.rows !== chunk.rows) throw new Error(`${source} has ${written.rows} rows`);
  });
  const { bytes, sha256 } = written;
  const renewed = { ...chunk, id, path, bytes, sha256 };
  const isThere = reserve.spend(() => catalog.renameChunk(chunk, renewed));
  await (isThere ? leases.remove(source) : removeIfThere(join(dataDir, path)));
  return isThere ? renewed : null;
}

async function metadataOf(path: string): Promise<Record<string, unknown>> {
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${literal(path)})
     WHERE decode(key) = '${METADATA_KEY}'`,
  );
  const said: unknown = JSON.parse(String(rows[0]?.[0]));
  if (typeof said !== "object" || said === null) throw new Error(`${path} is no chunk`);
  return { ...said };
}
