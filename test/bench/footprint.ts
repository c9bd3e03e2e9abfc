/** What the sandbox of queries costs a host: the gate, the worker, its start, and memory. */
import { WorkerPool } from "../../agent/query/worker_pool.ts";
import type { WorkerQuery } from "../../agent/query/worker_protocol.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { formatBytes } from "../../protocol/units.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { admit } from "../../queries/gate.ts";
import { LIBRARY_NAMES, libraryQuery } from "../../queries/library/library.ts";
import { filledSql } from "../../queries/library/parameters.ts";
import { exportTable } from "../../queries/transfer/export.ts";
import { eventually } from "../harness/eventually.ts";
import { PRODUCT_NICE, TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeLogs } from "../unit/agent/query/logs.ts";
import { Dice, groupedQuery, rowsQuery } from "../unit/queries/random_query.ts";
import { spread } from "./figures.ts";
import { childrenOf, memoryOf } from "./process.ts";
import { HttpAsker } from "./query/asker.ts";

const GENERATED = 500;
const ROWS = 10_000;
const ROUNDS = 60;
const COLD_STARTS = 12;
const HOST = "web-1";
const LINES = 50_000;
/** Queries before a worker's memory is read: it has worked then. */
const QUERIES = 50;
const SQL = "SELECT status, count(*) AS n FROM logs GROUP BY status";

export async function benchFootprint(): Promise<void> {
  console.log(`gate, ms (asked: p95 3)                       ${spread(await gateTimes())}`);
  await benchWorker();
  await benchMemory();
}

async function gateTimes(): Promise<number[]> {
  await using engine = await Engine.open();
  const dice = new Dice(1);
  const statements = [
    ...LIBRARY_NAMES.map((name) => libraryQuery(name))
      .filter(({ parameters }) => parameters.every((one) => one.default !== null))
      .map((query) => filledSql(query, [])),
    ...Array.from({ length: GENERATED }, (_, i) => (i % 2 ? groupedQuery : rowsQuery)(dice).sql),
  ];
  const times: number[] = [];
  for (const sql of statements) {
    const startedMs = performance.now();
    await admit(engine, sql, ["logs", "rejects"]);
    times.push(performance.now() - startedMs);
  }
  return times.slice(10); // those before have warmed it up
}

/** The same query in this process, in a warm worker, and in one that is not there yet. */
async function benchWorker() {
  await using folder = await TempFolder.make();
  const file = folder.join("logs.parquet");
  await writeLogs(file, ROWS);
  const view = (path: string) => ({
    table: "logs",
    sql: tableSelect(ACCESS, { files: [path], region: "r-1", since: null, until: null }),
  });
  const here: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await using engine = await Engine.open({ threads: 2 });
    const startedMs = performance.now();
    await engine.lockDown([file], [view(file)]);
    const rows = await engine.createTable("made", SQL);
    await exportTable(engine, "made", { file: folder.join("result"), rows });
    here.push(performance.now() - startedMs);
  }
  const options = { folder: folder.join("query"), dataDir: folder.path };
  const signal = new AbortController().signal;
  const runIn = async (pool: WorkerPool) => {
    const startedMs = performance.now();
    const query: WorkerQuery = {
      views: [view(pool.pathFor(file))],
      files: [pool.pathFor(file)],
      output: {
        kind: "partials",
        partials: [{ table: "made", sql: SQL }],
        caps: { rows_max: 1e6, bytes_max: 1e9 },
      },
      result_folder: pool.pathFor(pool.makeFolder("result-")),
    };
    await pool.use(signal, (worker) => worker.run(query, signal));
    return performance.now() - startedMs;
  };
  const cold: number[] = [];
  for (let i = 0; i < COLD_STARTS; i++) {
    await using pool = await WorkerPool.open(options);
    cold.push(await runIn(pool));
  }
  const warm: number[] = [];
  await using pool = await WorkerPool.open(options);
  await runIn(pool);
  for (let i = 0; i < ROUNDS; i++) {
    await new Promise((resolve) => setTimeout(resolve, 60)); // the next DuckDB is open by then
    warm.push(await runIn(pool));
  }
  console.log(`${ROWS} rows, GROUP BY, in this process, ms        ${spread(here)}`);
  console.log(`… in a warm worker (asked: 20 more at p50)    ${spread(warm)}`);
  console.log(`… in a cold one, its start included (asked: 400)  ${spread(cold)}`);
}

/** A real agent with its worker, after work. */
async function benchMemory() {
  await using fleet = await TestFleet.start({
    hosts: { [HOST]: "eu-west-1" },
    broker: "embedded",
    nice: PRODUCT_NICE,
  });
  await Deno.writeTextFile(fleet.logFile(HOST), manyLines(combinedLine, 0, LINES));
  const count = "SELECT count(*) AS n FROM logs";
  await eventually(async () => (await fleet.query(count)).answer.rows[0]?.n === LINES);
  const asker = await HttpAsker.of(fleet);
  for (let i = 0; i < QUERIES; i++) await asker.ask(SQL);
  const { pid } = fleet.agent(HOST);
  const workers = childrenOf(pid, "worker-query");
  const bytes = [pid, ...workers].map((one) => memoryOf(one)?.now ?? NaN);
  const sum = bytes.reduce((total, one) => total + one, 0);
  console.log(
    `agent and ${workers.length} warm worker after ${QUERIES} queries, RSS (asked: 330 MB): ` +
      `${bytes.map(formatBytes).join(" + ")} = ${formatBytes(sum)}`,
  );
}
