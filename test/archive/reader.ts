/** An agent's reading of an archive, without the agent: what a question to it comes to. */
import assert from "node:assert/strict";
import { ArchivedChunks } from "../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../agent/archive/reads/chunk_cache.ts";
import { Policy } from "../../agent/policy/policy_config.ts";
import { answerQuery } from "../../agent/query/answer_query.ts";
import type { FleetParts } from "../../agent/query/answer_query.ts";
import { WorkerPool } from "../../agent/query/worker_pool.ts";
import type { HostQuery } from "../../agent/store/answer.ts";
import { chunksOfTexts } from "../../protocol/archive/archive_piece.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import type { HostCoverage } from "../../protocol/wire/messages.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { PLAN_VERSION } from "../../queries/plan/planner.ts";
import { accessTables } from "../harness/tables.ts";
import { testCatalog } from "../harness/catalog.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

const NOW = "2026-11-22T23:00:00.000Z";
const OF = "11111111-1111-4111-8111-111111111111";

/** Rows of one chunk, a second each. */
export const CHUNK_ROWS = 3_600;

/** Puts a chunk for each hour from 19:00 on; returns their bytes together. */
export async function putChunks(
  store: ObjectStore,
  { host, region, hours }: { host: string; region: string; hours: number },
): Promise<number> {
  await using folder = await TempFolder.make();
  let bytes = 0;
  for (let i = 0; i < hours; i++) {
    const path = folder.join("chunk.parquet");
    await writeChunk(path, { rows: CHUNK_ROWS, fromSecond: i * CHUNK_ROWS, host });
    const body = await Deno.readFile(path);
    const place = { stream: "logs", region, host, hour: `2026-11-22T${19 + i}` };
    const key = chunkPath({ ...place, chunk: sha256Hex(body).slice(0, 16) });
    await store.put({ key, body, sha256: sha256Hex(body) }, new AbortController().signal);
    bytes += body.length;
  }
  return bytes;
}

/** Reads an archive. */
export interface Reader extends AsyncDisposable {
  /** Lists, and reads all that is listed, with an empty cache; `listed` is called between. */
  ask(store: ObjectStore, sql: string, listed?: (keys: string[]) => Promise<void>): Promise<{
    values: (string | null)[][];
    coverage: HostCoverage;
  }>;
}

/** An agent of the region `eu`. */
export async function makeReader(): Promise<Reader> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const folders = { folder: folder.join("query"), dataDir: folder.join("data") };
  await Deno.mkdir(folders.dataDir);
  const workers = stack.use(await WorkerPool.open(folders));
  const owned = stack.move();
  return {
    async ask(store, sql, listed) {
      const cacheFolder = folder.join("data", crypto.randomUUID());
      const cache = await ChunkCache.open({ folder: cacheFolder, quotaBytes: 1e9 });
      const self = { host: "a", region: "eu", labels: {} };
      const parts: FleetParts = {
        store: { tables: () => [], snapshot: () => assert.fail("the store is not asked") },
        archive: new ArchivedChunks({ catalog: testCatalog(store, cache), self }),
        workers,
        region: "eu",
        behindBytes: () => 0,
        policy: Policy.parse({}),
        denied: { denialOf: () => null, deny: () => {} },
      };
      const one = async (piece: NonNullable<HostQuery["archive"]>["piece"]) => {
        const query = {
          ...{ sql, now: NOW, range: { since: null, until: null, implied: false } },
          limits: { timeout_ms: 180_000, rows_max: 1_000_000, bytes_max: 1e9 },
          tables: accessTables("logs"),
          version: PLAN_VERSION,
          archive: { piece, selector: "" },
          mayLack: true,
        };
        await using answer = await answerQuery(parts, query, new AbortController().signal);
        const [table] = answer.tables;
        assert(table?.encoding === "text");
        return { values: table.values, coverage: answer.coverage };
      };
      const { values } = await one({ kind: "list", of: OF });
      const chunks = chunksOfTexts(values)
        .map(({ key, bytes, etag }): [string, number, string] => [key, bytes, etag]);
      await listed?.(chunks.map(([key]) => key));
      return await one({ kind: "read", of: OF, chunks });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
