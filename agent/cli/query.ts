/** `logvend-agent query`: SQL over this host's rows, or over log files, with nothing else running. */
import { join, resolve } from "node:path";
import { configureLogging } from "../../protocol/logging.ts";
import { describeRange, parseRange } from "../../protocol/range.ts";
import { formatBytes, formatDurationMs, parseDurationMs } from "../../protocol/units.ts";
import { Planner } from "../../queries/plan/planner.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import { stdoutLook } from "../../queries/answer/table_look.ts";
import { readAgentConfig } from "../config.ts";
import { drawAnswer, localQuery } from "../query/local_query.ts";
import type { LocalAnswer } from "../query/local_query.ts";
import { connectSnapshots } from "../query/socket.ts";
import { WorkerPool } from "../query/worker_pool.ts";
import type { SnapshotSource } from "../store/snapshot.ts";
import { openStoredFiles, Store } from "../store/store.ts";
import { readFile } from "../ingest/read_file.ts";

export interface QueryOptions {
  config: string;
  file?: string[];
  output: RowFormat | "table";
  since?: string;
  until?: string;
  timeout: string;
}

/** Where rows come from; its folder is read by the worker. */
interface Source {
  store: SnapshotSource;
  dataDir: string;
  region: string;
}

export async function queryCommand(sql: string, options: QueryOptions): Promise<void> {
  configureLogging({ level: "warning" });
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const folder = await Deno.makeTempDir({ prefix: "logvend-query-" });
  try {
    await using disposables = new AsyncDisposableStack();
    const source = options.file === undefined
      ? await storedSource(options.config, disposables)
      : await fileSource({ files: options.file, folder, disposables, signal: stop.signal });
    await answer({ sql, options, source, folder, signal: stop.signal });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Asked {
  sql: string;
  options: QueryOptions;
  source: Source;
  folder: string;
  signal: AbortSignal;
}

async function answer({ sql, options, source, folder, signal }: Asked) {
  const nowMs = Date.now();
  const since = options.since ?? (options.file === undefined ? undefined : "all");
  const range = parseRange({ since, until: options.until }, nowMs);
  const results = join(folder, "results");
  await using workers = await WorkerPool.open({ folder: results, dataDir: source.dataDir });
  await using planner = await Planner.open();
  const { store, region } = source;
  await using answer = await localQuery(
    { planner, store, workers, region, folder: results, behindBytes: () => 0 },
    {
      sql,
      now: new Date(nowMs).toISOString(),
      range,
      format: options.output === "table" ? "jsonl" : options.output,
      timeoutMs: parseDurationMs(options.timeout),
    },
    signal,
  );
  const elapsedMs = Date.now() - nowMs;
  await print(answer, options.output, elapsedMs);
  const { coverage } = answer;
  console.error([
    "this host",
    describeRange(answer.range, nowMs),
    `${coverage.rows_scanned} rows, ${coverage.chunks} chunks, ` +
    `${formatBytes(coverage.bytes_read)} read`,
    formatDurationMs(elapsedMs),
    ...(coverage.rejects > 0 ? [`${coverage.rejects} rejects`] : []),
  ].join(" · "));
}

async function print(answer: LocalAnswer, output: QueryOptions["output"], elapsedMs: number) {
  const { columns, coverage } = answer;
  switch (output) {
    case "table":
      return await write(await drawAnswer(answer, stdoutLook()));
    case "json": {
      const rest = JSON.stringify({ coverage, elapsed_ms: elapsedMs }).slice(1);
      await write(`{"columns":${JSON.stringify(columns)},"rows":`);
      await write((await Deno.readTextFile(answer.file)).trimEnd());
      return await write(`,${rest}\n`);
    }
    default: {
      const file = await Deno.open(answer.file);
      await file.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
    }
  }
}

async function write(text: string) {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** The running agent's rows, or what it left on disk. */
async function storedSource(path: string, disposables: AsyncDisposableStack): Promise<Source> {
  const { data_dir: dataDir, region, streams } = await readAgentConfig(path);
  const running = await connectSnapshots(dataDir);
  const store = running === null
    ? disposables.use(openStoredFiles(dataDir, streams.map((stream) => stream.name)))
    : disposables.use(running);
  return { store, dataDir, region };
}

interface FileRequest {
  files: readonly string[];
  folder: string;
  disposables: AsyncDisposableStack;
  signal: AbortSignal;
}

/** A store of its own for the given log files, which goes with the folder. */
async function fileSource(request: FileRequest): Promise<Source> {
  const { files, folder, disposables, signal } = request;
  const dataDir = join(folder, "data");
  const [host, region] = ["local", "local"];
  const store = disposables.use(
    await Store.open({ dataDir, host, region, streams: ["logs"], sealAfterMs: 0, signal }),
  );
  for (const file of files) {
    await readFile({ path: resolve(file), stream: "logs", format: "auto", sink: store, signal });
  }
  return { store, dataDir, region };
}
