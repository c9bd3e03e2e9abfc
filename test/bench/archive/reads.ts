/** What questions to the archive fetch, and how a warm cache compares with chunks on the disk. */
import { dirname } from "node:path";
import { ArchivedChunks } from "../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../agent/archive/reads/chunk_cache.ts";
import { readFooter } from "../../../queries/chunk/footer.ts";
import type { ByteRange } from "../../../protocol/archive/ranges.ts";
import { localQuery } from "../../../agent/query/local_query.ts";
import { WorkerPool } from "../../../agent/query/worker_pool.ts";
import type { ArchiveUse } from "../../../protocol/wire/messages.ts";
import type { ArchiveScope } from "../../../agent/store/query_archive.ts";
import type { SnapshotSource } from "../../../agent/store/snapshot.ts";
import { FolderStore } from "../../../protocol/archive/folder_store.ts";
import { ACCESS_SHAPE } from "../../../protocol/schema/stream_shape.ts";
import { tablesOf } from "../../../protocol/schema/streams.ts";
import { testCatalog } from "../../harness/catalog.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { quantile } from "../figures.ts";
import { chunkKey, DAY_MS, writeDay } from "./day.ts";

const LINES_PER_HOUR = 200_000;
const ROUNDS = 9;

const COLUMNS =
  "SELECT status, count(*) AS n, max(request_time) AS t, max(ts) AS l FROM logs GROUP BY 1";
const READ = ["status", "request_time_ms", "ts"];
const COUNTS = "SELECT count(*) AS n, min(ts) AS a, max(ts) AS b FROM logs";

type Ask = (sql: string, hours: number, isArchived: boolean) => Promise<Asked>;
interface Asked {
  use: ArchiveUse | undefined;
  ms: number;
}

/** Prints its figures. */
export async function benchReads(): Promise<void> {
  await using folder = await TempFolder.make();
  const files = await writeDay(folder, { linesPerHour: LINES_PER_HOUR });
  const bytes = files.reduce((sum, path) => sum + Deno.statSync(path).size, 0);
  console.log(`a day of ${24 * LINES_PER_HOUR} lines in 24 chunks, ${(bytes / 1e6).toFixed(1)} MB`);
  const archive = folder.join("data", "archive");
  for (const [hour, path] of files.entries()) {
    const target = `${archive}/${chunkKey("web-1", hour)}`;
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(path, target);
  }
  await using store = new FolderStore(archive);
  const folders = { folder: folder.join("query"), dataDir: folder.join("data") };
  await using workers = await WorkerPool.open(folders);
  const share = ({ use }: Asked) => `${((use?.bytes ?? 0) / bytes * 100).toFixed(2)} %`;
  const ask = await asker({ folder, store, workers, files });
  const two = await ask(COLUMNS, 2, true);
  const beside = (two.use?.bytes ?? 0) / await neededBytes(files.slice(0, 2)) - 1;
  console.log(
    `  status, request_time and ts over 2 h: ${share(two)} of the objects' bytes (asked: 1.2 %); ` +
      `${(beside * 100).toFixed(1)} % more than these columns (asked: 10 %)`,
  );
  const counts = await ask(COUNTS, 24, true);
  console.log(`  count(*), first and last ts of 24 h: ${share(counts)}, footers only`);
  const first = await ask(COLUMNS, 24, true);
  console.log(
    `  over 24 h, beside that: ${share(first)} in ${first.use?.requests} requests`,
  );
  const median = async (isArchived: boolean) => {
    const times: number[] = [];
    for (let i = 0; i < ROUNDS; i++) times.push((await ask(COLUMNS, 24, isArchived)).ms);
    return quantile(times, 0.5);
  };
  await median(false);
  const [local, warm] = [await median(false), await median(true)];
  const times = (warm / local).toFixed(2);
  console.log(
    `  over 24 h: chunks on the disk ${local.toFixed(0)} ms, warm cache ${warm.toFixed(0)} ms: ` +
      `${times} x (asked: 1.15)`,
  );
}

/** Of the columns that the question reads. */
async function neededBytes(files: readonly string[]): Promise<number> {
  let needed = 0;
  for (const path of files) {
    const bytes = await Deno.readFile(path);
    const read = ({ start, end }: ByteRange) => Promise.resolve(bytes.subarray(start, end));
    const { rowGroups } = await readFooter(read, bytes.length);
    for (const { columns } of rowGroups) {
      for (const name of READ) {
        const { start, end } = columns.get(name) ?? { start: 0, end: 0 };
        needed += end - start;
      }
    }
  }
  return needed;
}

interface Pieces {
  folder: TempFolder;
  store: FolderStore;
  workers: WorkerPool;
  files: readonly string[];
}

async function asker({ folder, store, workers, files }: Pieces): Promise<Ask> {
  const cache = await ChunkCache.open({ folder: folder.join("data", "cache"), quotaBytes: 4e9 });
  const self = { host: "web-1", region: "eu", labels: {} };
  const archive = new ArchivedChunks({ catalog: testCatalog(store, cache), self });
  const signal = new AbortController().signal;
  const tables = () => tablesOf(["logs"], () => ACCESS_SHAPE);
  const archived: SnapshotSource = {
    tables,
    async snapshot(request) {
      const none = { selector: "", hosts: null, regions: null };
      const scope: ArchiveScope = { ...request, ...none, needs: request.needs ?? {} };
      const { chunks: listed } = await archive.find(scope, signal);
      const chunks = listed.map(({ key, bytes, etag }): [string, number, string] => [
        key,
        bytes,
        etag,
      ]);
      return await archive.open(chunks, scope, signal).source.snapshot(request);
    },
  };
  const local: SnapshotSource = {
    tables,
    snapshot: ({ until }) => {
      const hours = until === null ? 24 : Math.ceil((Date.parse(until) - DAY_MS) / 3_600_000);
      const logs = { files: [...files.slice(0, hours)], rows: 0, bytes: 0 };
      return Promise.resolve({
        tables: new Map([["logs", logs]]),
        rejects: 0,
        gaps: { count: 0, bytes: 0 },
        lost: { files: 0, rows: 0 },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };
  return async (sql, hours, isArchived) => {
    const until = new Date(DAY_MS + hours * 3_600_000).toISOString();
    const range = { since: new Date(DAY_MS).toISOString(), until, implied: false };
    const question = { sql, now: until, range, format: "jsonl", timeoutMs: 60_000 } as const;
    const parts = { store: isArchived ? archived : local, workers, region: "eu" };
    const startedMs = performance.now();
    await using answer = await localQuery({ ...parts, behindBytes: () => 0 }, question, signal);
    return { use: answer.coverage.archive, ms: performance.now() - startedMs };
  };
}
