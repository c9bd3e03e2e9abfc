/** What erasing one address from a day's chunks reads of them, and how long that takes. */
import { dirname } from "node:path";
import { eraseArchives } from "../../../orchestrator/archive/erase.ts";
import { FolderStore } from "../../../protocol/archive/folder_store.ts";
import type { ObjectContent } from "../../../protocol/archive/object_store.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { eraseSigner } from "../../unit/agent/erase/scene.ts";
import { chunkKey, DAY_MS, writeDay } from "./day.ts";

const LINES_PER_HOUR = 200_000;
/** Of the one hour that has it, every so many lines. */
const EVERY = 5_000;
const HOUR = 13;
const ADDRESS = "99.0.113.9";

/** Of itself, as far as erasing asks. */
const SAID = JSON.stringify({ id: "0".repeat(16), schema_version: 1, runs: [], generations: [] });

class Counting extends FolderStore {
  requests = 0;
  bytes = 0;

  override async get(...asked: Parameters<FolderStore["get"]>): Promise<ObjectContent> {
    const content = await super.get(...asked);
    this.requests++;
    return { ...content, body: this.counted(content.body) };
  }

  private async *counted(body: ObjectContent["body"]) {
    for await (const block of body) {
      this.bytes += block.length;
      yield block;
    }
  }
}

/** Addresses as SQL: Parquet has filters where some thousands come again and again, and else none. */
const ADDRESSES = {
  "of many": "remote_addr",
  "of 2,000": "format('99.0.{}.{}', hash(remote_addr) % 100, hash(request) % 20)",
};

/** Prints its figures. */
export async function benchErase(): Promise<void> {
  await using folder = await TempFolder.make();
  const files = await writeDay(folder, { linesPerHour: LINES_PER_HOUR });
  for (const [what, address] of Object.entries(ADDRESSES)) {
    const archive = folder.join(`archive ${what}`);
    for (const [hour, path] of files.entries()) {
      const target = `${archive}/${chunkKey("web-1", hour)}`;
      await Deno.mkdir(dirname(target), { recursive: true });
      await writeWith(
        path,
        target,
        hour === HOUR
          ? `if(row_number() OVER () % ${EVERY} = 0, ${literal(ADDRESS)}, ${address})`
          : address,
      );
    }
    await erase(archive, what);
  }
}

async function erase(archive: string, what: string) {
  await using store = new Counting(archive);
  const bytes = (await Array.fromAsync(store.list("stream=", AbortSignal.timeout(60_000))))
    .reduce((sum, object) => sum + object.bytes, 0);
  const { sign } = await eraseSigner();
  const erasure = await sign({
    where: `remote_addr = '${ADDRESS}'`,
    since: new Date(DAY_MS).toISOString(),
    until: new Date(DAY_MS + 86_400_000).toISOString(),
  });
  const startedMs = performance.now();
  const done = await eraseArchives(
    [store],
    { erasure, onProgress: () => {} },
    AbortSignal.timeout(170_000),
  );
  if (done.failures.length > 0) throw new Error(JSON.stringify(done.failures[0]));
  const tookS = ((performance.now() - startedMs) / 1_000).toFixed(1);
  console.log(
    `erasing ${done.rows} rows of one address ${what} from ${done.chunks} of ${done.looked} chunks, ` +
      `${(bytes / 1e6).toFixed(1)} MB: ${(store.bytes / 1e6).toFixed(2)} MB in ` +
      `${store.requests} GETs (${(store.bytes / bytes * 100).toFixed(1)} %), ${tookS} s`,
  );
}

/** The same lines, of other addresses. */
async function writeWith(path: string, target: string, address: string) {
  await using engine = await Engine.open({ threads: 2, memoryBytes: 1e9 });
  await engine.run(`COPY (
    SELECT * REPLACE (${address} AS remote_addr)
    FROM read_parquet(${literal(path)}, hive_partitioning = false)
  ) TO ${literal(target)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
    ROW_GROUP_SIZE 500000, KV_METADATA {logvend: ${literal(SAID)}})`);
}
