/** A host that is short of CPU blames no query for it: what it blames is not run again for an hour. */
import assert from "node:assert/strict";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { WorkerProcess } from "../../../../agent/query/worker_process.ts";
import type { WorkerQuery } from "../../../../agent/query/worker_protocol.ts";
import { cpuSecondsOf } from "../../../bench/process.ts";
import { eventually } from "../../../harness/eventually.ts";
import { accessTables } from "../../../harness/tables.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

/** It takes hours, and DuckDB does not look for interrupts meanwhile. */
const UNSTOPPABLE = "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))";

const range = { since: null, until: null, implied: false };

function plan(worker: WorkerProcess, sql: string, signal = new AbortController().signal) {
  const question = { sql, tables: accessTables("logs"), now: "2026-11-22T20:00:00Z" };
  return worker.plan({ ...question, range, rowsMax: 1e6 }, signal);
}

/** What comes of some work with a worker that has only begun to start. */
async function started<T>(
  work: (worker: WorkerProcess, workers: WorkerPool) => Promise<T>,
): Promise<T> {
  await using folder = await TempFolder.make();
  const options = { folder: folder.join("query"), dataDir: folder.path };
  await using workers = await WorkerPool.open(options);
  return await workers.use(new AbortController().signal, (worker) => work(worker, workers));
}

/** The worker gets no CPU for a while, or for ever. */
function starve({ pid }: WorkerProcess, ms?: number) {
  Deno.kill(pid, "SIGSTOP");
  if (ms !== undefined) setTimeout(() => Deno.kill(pid, "SIGCONT"), ms);
}

Deno.test("the time to plan begins when the worker has started", async () => {
  const { mode } = await started(async (worker) => {
    starve(worker, 6_500); // longer than anything may take to plan
    return await plan(worker, "SELECT count(*) FROM logs");
  });
  assert.equal(mode, "aggregate");
});

Deno.test("what stops late for want of CPU is killed and not blamed; what goes on is", async () => {
  const fateOf = (before: (worker: WorkerProcess) => void) =>
    started(async (worker, workers) => {
      const query: WorkerQuery = {
        views: [],
        files: [],
        output: {
          kind: "partials",
          partials: [{ table: "logs", sql: UNSTOPPABLE }],
          caps: { rows_max: 1, bytes_max: 1 },
        },
        result_folder: workers.makeFolder("result-"),
      };
      await worker.started;
      const stop = new AbortController();
      const ended = assert.rejects(worker.run(query, stop.signal), { code: "cancelled" });
      const idle = cpuSecondsOf(worker.pid);
      await eventually(() => cpuSecondsOf(worker.pid) > idle + 0.3); // it is at it
      before(worker);
      stop.abort();
      await ended;
      return worker.fate;
    });
  assert.equal(await fateOf(starve), null);
  // Or it did not get the CPU to go on by then: the machine is busy.
  await eventually(async () => await fateOf(() => {}) === "killed");
});

Deno.test("a worker that is given up before it has started is not blamed, nor waited for", async () => {
  const fate = await started(async (worker) => {
    await assert.rejects(plan(worker, "SELECT 1", AbortSignal.timeout(1)), { code: "timeout" });
    return worker.fate;
  });
  assert.equal(fate, null);
});
