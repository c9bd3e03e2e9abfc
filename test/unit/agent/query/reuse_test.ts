/** Questions that come again: what is known is not read again, and the answer is the same. */
import assert from "node:assert/strict";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { KnownResults } from "../../../../agent/query/known_results.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { HostAnswer } from "../../../../agent/store/answer.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { PLAN_VERSION, Planner } from "../../../../queries/plan/planner.ts";
import { createPartialTable, importPart } from "../../../../queries/transfer/import.ts";
import { tablesOf } from "../../../../protocol/schema/streams.ts";
import { batch, folder, GENERATION, HOUR_MS, open, START_MS } from "../store/scene.ts";

const LIMITS = { timeout_ms: 30_000, rows_max: 100_000, bytes_max: 1e9 };
const TABLES = tablesOf(["logs"], () => ACCESS_SHAPE);

/** Two clocks: parts lie in blocks that are over, or each is on its own, however long the tests take. */
const CREATED = { "long ago": START_MS, "just now": Date.now() + HOUR_MS };

/** Asks as an orchestrator would, and merges the one answer. */
async function asker(parts: FleetParts) {
  await using stack = new AsyncDisposableStack();
  const planner = stack.use(await Planner.open());
  const owned = stack.move();
  const question = (sql: string, since: string | null) => ({
    sql,
    tables: TABLES,
    now: new Date(START_MS + HOUR_MS).toISOString(),
    range: { since, until: null, implied: false },
  });
  const ask = async (from: FleetParts, sql: string, since: string | null) => {
    const query = { ...question(sql, since), limits: LIMITS, version: PLAN_VERSION };
    return await answerQuery(from, query, new AbortController().signal);
  };
  const merged = async (answer: HostAnswer, sql: string, since: string | null) => {
    const plan = await planner.plan({ ...question(sql, since), rowsMax: LIMITS.rows_max });
    await using engine = await Engine.open();
    for (const { table, columns } of plan.partials) {
      await createPartialTable(engine, table, columns);
      for (const part of answer.tables) await importPart(engine, table, columns, part);
    }
    return (await engine.read(plan.mergeSql)).rows.map((row) => row.map(String)).sort();
  };
  return {
    /** The answer of a host that keeps results, and how many rows it knew; checked against one that does not. */
    async same(sql: string, since: string | null = null): Promise<number> {
      await using reused = await ask(parts, sql, since);
      const { known: _, ...forgetful } = parts;
      await using anew = await ask(forgetful, sql, since);
      const [a, b] = [await merged(reused, sql, since), await merged(anew, sql, since)];
      assert.deepEqual(a, b);
      assert.equal(reused.coverage.rows_scanned, anew.coverage.rows_scanned);
      assert.ok(a.length > 0);
      return reused.coverage.rows_known ?? 0;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function host(createdMs: number) {
  await using stack = new AsyncDisposableStack();
  const data = stack.use(await folder());
  const store = stack.use(await open(data.path, () => createdMs));
  const queries = stack.use(await folder());
  const workers = stack.use(
    await WorkerPool.open({ folder: `${queries.path}/q`, dataDir: data.path }),
  );
  const parts: FleetParts = {
    store,
    workers,
    region: "eu",
    behindBytes: () => 0,
    policy: Policy.parse({}),
    denied: { denialOf: () => null, deny: () => {} },
    known: new KnownResults(),
  };
  let lines = 0;
  store.putGeneration(GENERATION);
  const owned = stack.move();
  return {
    store,
    parts,
    /** Rows of some seconds, as one part unless they wait. */
    async write(count: number, fromS: number, isFlushed = true) {
      await store.append(batch(lines, count, (line) => START_MS + (fromS + line % 10) * 1_000));
      lines += count;
      if (isFlushed) await store.flush();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const QUESTIONS = [
  "SELECT status, count(*) AS n, sum(body_bytes_sent) AS bytes FROM logs GROUP BY 1 ORDER BY 1",
  "SELECT count(*) AS n, avg(body_bytes_sent) AS mean, max(ts) AS last FROM logs",
  "SELECT body_bytes_sent % 7 AS k, count(DISTINCT body_bytes_sent % 20) AS d, median(body_bytes_sent) AS m FROM logs GROUP BY k HAVING d > 1",
];

for (const [name, createdMs] of Object.entries(CREATED)) {
  Deno.test(`what a host knows of parts written ${name} it does not read again, through late rows and sealing`, async () => {
    await using own = await host(createdMs);
    await using desk = await asker(own.parts);
    const questions = QUESTIONS.slice(createdMs === START_MS ? 0 : 2);
    for (let part = 0; part < 4; part++) await own.write(50, part * 10);
    await own.write(5, 50, false);
    for (const sql of questions) {
      assert.deepEqual([await desk.same(sql), await desk.same(sql)], [0, 0]);
      assert.equal(await desk.same(sql), 200); // five rows are in memory
    }
    await own.write(30, 5); // late: a part over the time of others
    for (const sql of questions) {
      await desk.same(sql);
      assert.equal(await desk.same(sql), 235);
    }
    await own.store.sealAll();
    await own.write(20, 70);
    for (const sql of questions) {
      await desk.same(sql);
      assert.equal(await desk.same(sql), 255);
    }
  });
}

Deno.test("a range that moves reads its end anew, and what is wholly inside is known", async () => {
  await using own = await host(CREATED["just now"]);
  await using desk = await asker(own.parts);
  for (let part = 0; part < 6; part++) await own.write(40, part * 10);
  const [sql = ""] = QUESTIONS;
  const known: number[] = [];
  for (const second of [0, 5, 15, 25]) {
    known.push(await desk.same(sql, new Date(START_MS + second * 1_000).toISOString()));
  }
  assert.deepEqual(known, [0, 0, 160, 120]);
});

Deno.test("questions that cannot be put together, or are too long to be kept, are read anew", async () => {
  await using own = await host(CREATED["just now"]);
  await using desk = await asker(own.parts);
  for (let part = 0; part < 3; part++) await own.write(4_000, part * 10);
  for (
    const sql of [
      "SELECT line FROM logs ORDER BY line LIMIT 5",
      "SELECT string_agg(status) AS s FROM logs",
      "SELECT body_bytes_sent, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1",
      "SELECT count(*) FILTER (ts > now()::TIMESTAMP - INTERVAL 1 DAY) AS n, status FROM logs GROUP BY 2",
    ]
  ) for (let round = 0; round < 3; round++) await desk.same(sql);
  assert.equal(
    await desk.same("SELECT body_bytes_sent, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1"),
    0,
  );
});

Deno.test("results that nobody asks for are forgotten, and those of few questions are kept", () => {
  let nowMs = 0;
  const known = new KnownResults(() => nowMs);
  assert.equal(known.ask("a"), null);
  assert.notEqual(known.ask("a"), null);
  nowMs = 601_000;
  assert.equal(known.ask("a"), null);
  for (let i = 0; i < 8; i++) assert.equal(known.ask(`q${i}`), null);
  assert.equal(known.ask("a"), null); // eight others came since
  const query = known.ask("q7");
  const columns = [{ name: "n", type: "BIGINT" }];
  const rows = {
    table: "t",
    encoding: "text" as const,
    columns,
    values: [["1"]],
    rows: 1,
    bytes: 17e6,
  };
  known.keep(query!, [["file", rows]]);
  assert.deepEqual([query?.sets.size, query?.isHopeless], [0, true]);
});
