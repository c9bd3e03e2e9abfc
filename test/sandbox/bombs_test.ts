/**
 * SQL that takes all it can get: whatever it is, it ends, the agent goes on as before, and the next
 * query is answered. LOGVEND_BOMBS=all tries them all, which takes some minutes.
 */
import assert from "node:assert/strict";
import { localQuery } from "../../agent/query/local_query.ts";
import type { QueryParts } from "../../agent/query/prepare.ts";
import { WorkerPool } from "../../agent/query/worker_pool.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { HelperWatch } from "../bench/process.ts";
import { eventually } from "../harness/eventually.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { FileStore, writeLogs } from "../unit/agent/query/logs.ts";
import { readCorpus } from "./corpus.ts";

const LIMIT_MS = 500;
/** An interrupt, a second of patience, a kill: on a machine with much else to do. Bombs run for hours. */
const GRACE_MS = 180_000;
const ROWS = 20_000;
/** How much larger this process, the agent's, may be in the end. */
const GROWTH_BYTES_MAX = 50 * 2 ** 20;
/** A worker with nothing to do, and what one query may take. */
const WORKER_BYTES_MAX = (180 + 512) * 2 ** 20;

const made = {
  "doubled-structs": () => doubled("SELECT {a: x, b: x} AS x FROM"),
  "doubled-lists": () => doubled("SELECT x || x AS x FROM", "[1]"),
  "doubled-columns": () => {
    const tables = Array.from(
      { length: 20 },
      (_, i) => `t${i + 1} AS (SELECT a.*, b.* FROM t${i} a, t${i} b)`,
    );
    return `WITH t0 AS (SELECT 1 AS x), ${tables.join(", ")} FROM t20`;
  },
  "wide-in": () => `SELECT count(*) FROM logs WHERE status IN (${Array(4_500).fill("status")})`,
  "many-columns": () => `SELECT ${Array(1_500).fill("COLUMNS('.*')")} FROM logs a, logs b`,
};

function doubled(step: string, first = "1"): string {
  let sql = `SELECT ${first} AS x`;
  for (let i = 0; i < 24; i++) sql = `${step} (${sql})`;
  return sql;
}

async function host(): Promise<AsyncDisposable & { parts: QueryParts }> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const logs = folder.join("logs.parquet");
  await writeLogs(logs, ROWS);
  const store = new FileStore(logs, ROWS);
  const options = { folder: folder.join("query"), dataDir: folder.path, nice: 0 };
  const workers = stack.use(await WorkerPool.open(options));
  const owned = stack.move();
  const parts = { store, workers, region: "r-1", behindBytes: () => 0 };
  return { parts, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function ask(parts: QueryParts, sql: string, timeoutMs: number): Promise<string> {
  const range = { since: null, until: null, implied: false };
  const question = { sql, now: "2026-11-22T20:00:00Z", range, format: "csv" as const, timeoutMs };
  await using answer = await localQuery(parts, question, new AbortController().signal);
  return await Deno.readTextFile(answer.file);
}

Deno.test("no bomb hurts: it ends in time, and the next query is answered", async (test) => {
  const all = await readCorpus("bombs.txt", { made });
  assert(all.length >= 30, `${all.length} bombs`);
  const isLong = Deno.env.get("LOGVEND_BOMBS") === "all";
  const bombs = all.filter(({ isMarked }) => isLong || isMarked);
  await using here = await host();
  using watch = new HelperWatch(() => Deno.pid, "worker-query");
  const next = async () =>
    assert.equal(
      await ask(here.parts, "SELECT count(*) AS n FROM logs", 180_000),
      `n\n${ROWS}\n`,
    );
  await next();
  const before = residentBytes();
  for (const { sql } of bombs) {
    await test.step(sql.slice(0, 100), async () => {
      const start = performance.now();
      const outcome = await ask(here.parts, sql, LIMIT_MS).then(() => "answered", (error) => {
        assert(error instanceof LogvendError, String(error));
        return `${error.code}: ${error.message.slice(0, 80)}`;
      });
      const tookMs = performance.now() - start;
      assert(tookMs < LIMIT_MS + GRACE_MS, `${Math.round(tookMs)} ms, ${outcome}`);
      await next();
    });
  }
  await eventually(() => residentBytes() - before < GROWTH_BYTES_MAX); // what was freed goes back
  assert(watch.peak < WORKER_BYTES_MAX, `a worker had ${watch.peak} bytes`);
});

function residentBytes(): number {
  (globalThis as { gc?: () => void }).gc?.(); // test/run.ts makes it there
  return Deno.memoryUsage().rss;
}
