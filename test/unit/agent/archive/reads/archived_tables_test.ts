/** Archived chunks under the agent's own query path: the answers of the whole files, for less. */
import assert from "node:assert/strict";
import { ChunkCache } from "../../../../../agent/archive/reads/chunk_cache.ts";
import { lendTable } from "../../../../../agent/archive/reads/archived_tables.ts";
import { localQuery } from "../../../../../agent/query/local_query.ts";
import { WorkerPool } from "../../../../../agent/query/worker_pool.ts";
import type { SnapshotSource } from "../../../../../agent/store/snapshot.ts";
import type { HostCoverage } from "../../../../../protocol/wire/messages.ts";
import { ACCESS_SHAPE } from "../../../../../protocol/schema/stream_shape.ts";
import { ACCESS, tablesOf } from "../../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { Planner } from "../../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { GROUP_ROWS, MemoryObject, START, writeChunk } from "./objects.ts";

const ROWS = 4 * GROUP_ROWS;

interface Asked {
  rows: unknown[][];
  coverage: HostCoverage;
}

async function scene() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const paths = [folder.join("a.parquet"), folder.join("b.parquet")];
  await writeChunk(paths[0] ?? "", { rows: ROWS });
  await writeChunk(paths[1] ?? "", { rows: ROWS, fromSecond: ROWS, host: "web-2" });
  const files = await Promise.all(paths.map((path) => Deno.readFile(path)));
  const objects = files.map((bytes, i) => new MemoryObject(bytes, `chunk ${i}`));
  const cache = await ChunkCache.open({ folder: folder.join("data", "cache"), quotaBytes: 1e9 });
  const store: SnapshotSource = {
    tables: () => tablesOf(["logs"], () => ACCESS_SHAPE),
    async snapshot({ since, until, needs = {} }) {
      const logs = needs.logs ?? { columns: [], values: {}, countsOnly: false };
      const chunks = objects.map(({ cached }) => cached);
      const request = { cache, name: "logs", chunks, since, until, needs: logs };
      const { table, use: archive, unread, release } = await lendTable(request);
      return {
        tables: new Map([["logs", table]]),
        rejects: 0,
        gaps: { count: 0, bytes: 0 },
        lost: { files: 0, rows: 0 },
        archive,
        unread,
        [Symbol.asyncDispose]: () => Promise.resolve(release()),
      };
    },
  };
  const queries = folder.join("query");
  const workers = stack.use(
    await WorkerPool.open({ folder: queries, dataDir: folder.join("data") }),
  );
  const planner = stack.use(await Planner.open());
  const engine = stack.use(await Engine.open());
  const parts = { planner, store, workers, region: "eu", folder: queries, behindBytes: () => 0 };
  const all = { since: null, until: null };
  const ask = async (sql: string, range: Partial<typeof all> | Record<string, string> = {}) => {
    const asked = { ...all, ...range, implied: false };
    const question = { sql, now: START, range: asked, format: "jsonl", timeoutMs: 30_000 } as const;
    await using answer = await localQuery(parts, question, new AbortController().signal);
    const lines = (await Deno.readTextFile(answer.file)).trimEnd().split("\n");
    const rows = lines.map((line) => Object.values(JSON.parse(line)));
    return { rows, coverage: answer.coverage } satisfies Asked;
  };
  const expected = async (sql: string, range: Record<string, string> = {}) => {
    const source = { files: paths, region: "eu", ...all, ...range };
    await engine.run(`CREATE OR REPLACE VIEW logs AS ${tableSelect(ACCESS, source)}`);
    const { rows } = await engine.read(`SELECT to_json(row)::VARCHAR FROM (${sql}) AS row`);
    return rows.map(([row]) => Object.values(JSON.parse(String(row))));
  };
  const owned = stack.move();
  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  return { objects, ask, expected, bytes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

Deno.test("answers are those of the whole files, line and text included", async () => {
  await using here = await scene();
  const edge = new Date(Date.parse(START) + 5_000_000).toISOString();
  const questions = [
    "SELECT status, count(*) AS n, sum(body_bytes_sent)::BIGINT AS b FROM logs GROUP BY 1 ORDER BY 1",
    "SELECT md5(string_agg(line, '' ORDER BY ts)) AS m FROM logs",
    "SELECT count(*) AS n FROM logs WHERE line LIKE '%product%'",
    "SELECT host, region, count(*) AS n, min(request_time) AS t FROM logs GROUP BY 1, 2 ORDER BY 1",
    "SELECT request FROM logs WHERE remote_addr = '192.0.2.9' ORDER BY ts LIMIT 3",
    "SELECT count(*) AS n, count(DISTINCT http_user_agent) AS u FROM logs WHERE status = 404",
    "SELECT count(*) AS n, epoch_us(min(ts)) AS a, epoch_us(max(ts)) AS b FROM logs",
    "SELECT region FROM logs LIMIT 1",
  ];
  for (const range of [{}, { since: edge }, { until: edge }]) {
    for (const sql of questions) {
      const { rows } = await here.ask(sql, range);
      assert.deepEqual(rows, await here.expected(sql, range), `${sql} ${JSON.stringify(range)}`);
    }
  }
});

Deno.test("counts and times take the footers only, and pruned questions what they touch", async () => {
  await using here = await scene();
  const counts = "SELECT count(*) AS n, min(ts) AS a, max(ts) AS b FROM logs";
  const first = await here.ask(counts);
  assert.equal(first.rows[0]?.[0], 2 * ROWS);
  assert.equal(first.coverage.archive?.requests, 2);
  assert.equal(first.coverage.chunks, 0);
  assert.equal((await here.ask(counts)).coverage.archive?.bytes, 0);
  const some = await here.ask("SELECT sum(status) AS s FROM logs");
  assert((some.coverage.archive?.bytes ?? Infinity) < here.bytes / 20);
  const none = await here.ask("SELECT count(*) AS n FROM logs WHERE remote_addr = 'nobody'");
  assert.deepEqual(none.rows, [[0]]);
});

Deno.test("an object that is not what it was is named, and the others are read", async () => {
  await using here = await scene();
  const [first] = here.objects;
  assert(first !== undefined);
  await here.ask("SELECT sum(status) AS s FROM logs");
  first.bytes = first.bytes.slice(0, 1_000);
  const { rows, coverage } = await here.ask("SELECT count(request) AS s FROM logs");
  assert.deepEqual(rows, [[ROWS]]);
  assert.equal(coverage.unread?.length, 1);
  assert.match(
    coverage.unread[0]?.reason ?? "",
    /^it is shorter than was listed; see logvend arch/,
  );
});
