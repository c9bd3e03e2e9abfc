/** What windows cost and bring: CPU of counting, events and bytes, how soon an event is in its sink. */
import { cpuUsage } from "node:process";
import { WORKER_COMMAND } from "../../agent/self.ts";
import type { WindowEvent } from "../../agent/window/event.ts";
import { visitorDatabase } from "../../orchestrator/demo/places.ts";
import { shapeOfStream } from "../../agent/geo/geo_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { identifier, literal, tableSelect } from "../../protocol/schema/table_sql.ts";
import { formatBytes } from "../../protocol/units.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import {
  columnsOfLists,
  compileList,
  WINDOW_ROWS,
  windowSelect,
} from "../../queries/windows/compile.ts";
import type { CompiledList } from "../../queries/windows/compile.ts";
import { windowLists } from "../../queries/windows/lists.ts";
import { formatLine } from "../../orchestrator/generate/lines.ts";
import { ourProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { WINDOW_EVENTS, WINDOW_MS, writeWindowFiles } from "../harness/window_files.ts";
import { writeCorpus } from "./corpus.ts";
import { quantile } from "./figures.ts";
import { childrenOf, cpuSecondsOf, memoryOf } from "./process.ts";

const ROWS = 100_000;
const LINES_PER_SECOND = 10_000;
const EVERY_S = 10;
const GRACE_S = 2;
const ROUNDS = 9;
const SETTLE_MS = 15_000;
const MEASURED_MS = 90_000;
const SAMPLE_LINES = 10_000;
/** Three days. */
const AWAY_WINDOWS = 25_920;

/** Places of the visitors: with them a window has all its lists. */
const GEO = "geo: { database: ./places.mmdb }\n";

/** Of the stream `logs` with places. */
const SCHEMA = streamSchema(
  shapeOfStream({ format: "auto" }, { geo: { database: "places.mmdb" } }),
);

export async function benchWindows(): Promise<void> {
  await using folder = await TempFolder.make();
  await countingAlone(folder);
  await beside(folder);
  await away();
}

/** A sink that comes back after three days: how soon it has everything, and what the agent takes for it. */
async function away() {
  await using folder = await TempFolder.make();
  const startMs = Date.now() - AWAY_WINDOWS * WINDOW_MS;
  const firstMs = Math.floor(startMs / WINDOW_MS) * WINDOW_MS;
  await writeWindowFiles(folder.join("data/windows"), { count: AWAY_WINDOWS, firstMs });
  const wanted = AWAY_WINDOWS * WINDOW_EVENTS;
  const all = Promise.withResolvers<void>();
  let events = 0;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      events += (await request.text()).split("\n").length - 1;
      if (events >= wanted) all.resolve();
      return new Response();
    },
  );
  await folder.write("access.log", "");
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const sinks = `sinks: [ { name: hook, type: webhook, url: '${url}' } ]\n`;
  const config = await folder.write("agent.yaml", yamlOf("data", "access.log", sinks));
  const startedMs = performance.now();
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await all.promise;
  console.log(
    `a sink back after 72 h: ${AWAY_WINDOWS} windows, ${wanted} events in ${
      ((performance.now() - startedMs) / 1_000).toFixed(1)
    } s, ${cpuSecondsOf(agent.pid).toFixed(1)} s of CPU, highest memory of the agent ${
      formatBytes(memoryOf(agent.pid)?.peak ?? NaN)
    }`,
  );
}

/** All lists of one window of 100,000 rows in a part, with a DuckDB opened for them as workers do. */
async function countingAlone(folder: TempFolder) {
  const log = folder.join("window.log");
  await writeCorpus(log, ROWS);
  await folder.write("places.mmdb", visitorDatabase());
  const config = await folder.write("alone.yaml", yamlOf("alone", "window.log", GEO));
  const program = startProgram({ args: ourProgram("agent/main.ts", "import", log, "-c", config) });
  const { code, stderr } = await program.ended();
  if (code !== 0) throw new Error(stderr);
  const part = await asPart(folder);
  const lists = await compileAll();
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuUsage();
    const rows = await countOnce(part, lists);
    const { user, system } = cpuUsage(before);
    costs.push((user + system) / 1_000);
    if (round === 0) console.log(`a window of ${ROWS} rows: ${rows} events`);
  }
  console.log(`  counting all lists: p50 ${quantile(costs, 0.5).toFixed(0)} ms of CPU`);
}

/** The imported chunk in the form of a part: LZ4, small row groups, all within one window. */
async function asPart(folder: TempFolder): Promise<string> {
  await using engine = await Engine.open();
  const part = folder.join("part.parquet");
  const chunks = literal(folder.join("alone", "stream=logs", "**", "*.parquet"));
  await engine.run(
    `COPY (SELECT * REPLACE (TIMESTAMP '2026-11-22 18:00:00'
         + (epoch_us(ts) % ${EVERY_S * 1_000_000}) * INTERVAL 1 microsecond AS ts)
       FROM read_parquet(${chunks}, hive_partitioning = false))
     TO ${
      literal(part)
    } (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION lz4, ROW_GROUP_SIZE 10240)`,
  );
  return part;
}

async function countOnce(part: string, compiled: readonly CompiledList[]): Promise<number> {
  await using engine = await Engine.open();
  const source = { files: [part], region: "eu", since: null, until: null };
  const view = tableSelect(SCHEMA, { ...source, columns: columnsOfLists(compiled) });
  await engine.lockDown([part], [{ table: WINDOW_ROWS, sql: view }]);
  const span = { start: "2026-11-22T18:00:00Z", end: "2026-11-22T18:00:10Z" };
  return await engine.createTable(identifier("counted"), windowSelect(compiled, span));
}

async function compileAll(): Promise<CompiledList[]> {
  await using engine = await Engine.open();
  await engine.run("SET errors_as_json = true");
  const lists: CompiledList[] = [];
  for (const list of windowLists()) {
    const one = await compileList(engine, list, SCHEMA.logical);
    if (one !== null) lists.push(one);
  }
  return lists;
}

/** An agent that follows a log at 10,000 lines/s, and a sink that says when events come. */
async function beside(folder: TempFolder) {
  const latencies: number[] = [];
  const windows = new Map<string, { events: number; bytes: number }>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const nowMs = Date.now();
      for (const line of (await request.text()).trimEnd().split("\n")) {
        const { start, group }: WindowEvent = JSON.parse(line);
        const sum = windows.get(start) ?? { events: 0, bytes: 0 };
        windows.set(start, { events: sum.events + 1, bytes: sum.bytes + line.length + 1 });
        if (group === "total") latencies.push((nowMs - Date.parse(start)) / 1_000);
      }
      return new Response();
    },
  );
  const log = await folder.write("access.log", "");
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const sinks = `sinks: [ { name: hook, type: webhook, url: '${url}' } ]\n`;
  const config = await folder.write("agent.yaml", yamlOf("data", "access.log", GEO + sinks));
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await using _load = startProgram({
    args: ourProgram(
      "orchestrator/main.ts",
      ...["generate", "--out", log, "--rate", String(LINES_PER_SECOND)],
    ),
  });
  await pause(SETTLE_MS);
  const before = { ...costsOf(agent.pid), raw: sizeOf(log), ms: performance.now() };
  latencies.length = 0;
  windows.clear();
  await pause(MEASURED_MS);
  const seconds = (performance.now() - before.ms) / 1_000;
  const after = costsOf(agent.pid);
  const share = (from: number, to: number) => `${((to - from) / seconds * 100).toFixed(1)} %`;
  console.log(
    `tailing, parts and windows at ${LINES_PER_SECOND} lines/s over ${
      seconds.toFixed(0)
    } s: agent ` +
      `${share(before.agent, after.agent)} of a core, worker ${
        share(before.workers, after.workers)
      }, ` +
      `highest memory of the agent ${formatBytes(memoryOf(agent.pid)?.peak ?? NaN)}`,
  );
  const [events, bytes] = [sumOf(windows, "events"), sumOf(windows, "bytes")];
  const rawBytes = (sizeOf(log) - before.raw) / seconds * EVERY_S * windows.size;
  const ofReference = await referenceBytes(folder, rawBytes);
  console.log(
    `  ${windows.size} windows: ${(events / windows.size).toFixed(0)} events and ` +
      `${formatBytes(bytes / windows.size)} each, ${
        (bytes / rawBytes * 100).toFixed(4)
      } % of the log, ${
        (bytes / ofReference * 100).toFixed(4)
      } % of the same requests as lines of JSON`,
  );
  const bound = EVERY_S + GRACE_S + 1;
  console.log(
    `  a window's first line to its event in the sink: p50 ${
      quantile(latencies, 0.5).toFixed(2)
    } s, ` +
      `p99 ${quantile(latencies, 0.99).toFixed(2)} s (window + grace + 1 s = ${bound} s)`,
  );
}

/** What the requests of so many bytes in combined form take in the form of Bacalhau's example: NDJSON. */
async function referenceBytes(folder: TempFolder, combinedBytes: number): Promise<number> {
  const bytesOf = (format: "json" | "combined_time") =>
    writeCorpus(folder.join("sample.log"), SAMPLE_LINES, (hit, ms) => formatLine(hit, ms, format));
  return combinedBytes * await bytesOf("json") / await bytesOf("combined_time");
}

function yamlOf(data: string, log: string, more: string): string {
  return `host: web-1\nregion: eu-west-1\ndata_dir: ./${data}\n` +
    `streams: [ { name: logs, files: [ ./${log} ] } ]\n${more}`;
}

/** CPU seconds of the agent, and of all its query workers so far. */
function costsOf(pid: number): { agent: number; workers: number } {
  const workers = childrenOf(pid, WORKER_COMMAND);
  return {
    agent: cpuSecondsOf(pid),
    workers: workers.reduce((sum, worker) => sum + cpuSecondsOf(worker), 0),
  };
}

function sumOf(
  windows: ReadonlyMap<string, { events: number; bytes: number }>,
  key: "events" | "bytes",
) {
  return [...windows.values()].reduce((sum, window) => sum + window[key], 0);
}

function sizeOf(path: string): number {
  return Deno.statSync(path).size;
}

async function pause(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
