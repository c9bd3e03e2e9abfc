/** `logvend-agent query`: SQL over this host's rows, or over log files, with nothing else running. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { configureLogging } from "../../protocol/process/logging.ts";
import { GAPS_SQL } from "../../protocol/schema/streams.ts";
import { parseRange, rangeInWords } from "../../protocol/range.ts";
import type { RangeText } from "../../protocol/range.ts";
import { counted, formatBytes, formatDurationMs, parseDurationMs } from "../../protocol/units.ts";
import { askedSql } from "../../queries/library/library.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import { stdoutLook } from "../../queries/answer/table_look.ts";
import { readAgentConfig } from "../config.ts";
import { drawAnswer, localQuery } from "../query/local_query.ts";
import type { LocalAnswer, LocalQuestion } from "../query/local_query.ts";
import { connectSnapshots } from "../query/socket.ts";
import { WorkerPool } from "../query/worker_pool.ts";
import type { SnapshotSource } from "../store/snapshot.ts";
import { formatName } from "../stream_format.ts";
import type { Format } from "../stream_format.ts";
import { openStoredFiles } from "../store/files/stored_files.ts";
import { interruptSignal } from "./interrupt.ts";
import { readLogFiles } from "./log_files.ts";

export interface QueryOptions {
  config: string;
  file?: string[];
  param?: string[];
  output: RowFormat | "table";
  since?: string;
  until?: string;
  timeout: string;
}

/** Timers of more than 24 days end at once. */
const TIMEOUT_MAX_MS = 86_400_000;

/** Where rows come from; its folder is read by the worker. */
export interface Source {
  store: SnapshotSource;
  dataDir: string;
  region: string;
  /** What log files were read as; null: it is the agent's store. */
  format: Format | null;
}

/** @throws {LogvendError} usage, bad_config, bad_sql, unavailable, timeout, cancelled or internal */
export async function queryCommand(sql: string, options: QueryOptions): Promise<void> {
  configureLogging({ level: "warning" });
  const startedMs = Date.now();
  const { file: files, until, output } = options;
  const asked = { since: options.since ?? (files === undefined ? undefined : "all"), until };
  const question = {
    sql: askedSql(sql, options.param),
    now: new Date(startedMs).toISOString(),
    range: parseRange(asked, startedMs),
    format: output === "table" ? "jsonl" as const : output,
    timeoutMs: timeoutOf(options),
  };
  const signal = interruptSignal("Cancelled");
  const folder = await Deno.makeTempDir({ prefix: "logvend-query-" });
  try {
    await using stack = new AsyncDisposableStack();
    const source = files === undefined
      ? await storedSource(options.config, folder, stack)
      : await readLogFiles({ files, folder, stack, signal });
    const answer = stack.use(await ask({ question, source, folder, stack, signal }));
    const elapsedMs = Date.now() - startedMs;
    await print(answer, output, elapsedMs);
    for (const line of summary({ answer, source, asked, elapsedMs })) console.error(line);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function timeoutOf({ timeout }: QueryOptions): number {
  const timeoutMs = parseDurationMs(timeout, "--timeout");
  if (timeoutMs > 0 && timeoutMs <= TIMEOUT_MAX_MS) return timeoutMs;
  throw new LogvendError("usage", `--timeout ${timeout}: wanted more than 0, 1d at most`);
}

interface Asked {
  question: LocalQuestion;
  source: Source;
  folder: string;
  /** Gets what the answer needs while it is read. */
  stack: AsyncDisposableStack;
  signal: AbortSignal;
}

async function ask({ question, source, folder, stack, signal }: Asked): Promise<LocalAnswer> {
  const { store, dataDir, region } = source;
  const results = resultsFolder(folder);
  const arrow = question.format === "arrow";
  const workers = stack.use(await WorkerPool.open({ folder: results, dataDir, arrow }));
  const parts = { store, workers, region, behindBytes: () => 0 };
  return await localQuery(parts, question, signal);
}

/** The folder that workers read and write. */
function resultsFolder(folder: string): string {
  return join(folder, "results");
}

interface Facts {
  answer: LocalAnswer;
  source: Source;
  asked: RangeText;
  elapsedMs: number;
}

/** Lines like those under a fleet's answer. */
function summary({ answer, source, asked, elapsedMs }: Facts): string[] {
  const { rows_scanned: rows, chunks, bytes_read: bytes, rejects, gaps, lost } = answer.coverage;
  const read = [
    rangeInWords(asked, answer.range),
    `${counted(rows, "row")}, ${counted(chunks, "chunk")}, ${formatBytes(bytes)} read`,
  ];
  const facts = [
    source.format === null ? "this host" : `read as ${formatName(source.format)}`,
    ...(answer.mode === "catalog" ? ["its catalog"] : read),
    formatDurationMs(elapsedMs),
  ].join(" · ");
  if (answer.mode === "catalog") return [facts];
  return [
    facts,
    ...(rejects === 0
      ? []
      : [`  ${rejects === 1 ? "reject " : "rejects"} ${rejects}  SELECT * FROM rejects`]),
    ...(gaps.count === 0 ? [] : [
      `  ${gaps.count === 1 ? "gap    " : "gaps   "} ${gaps.count}  ` +
      `${formatBytes(gaps.bytes)} lost unread: ${GAPS_SQL}`,
    ]),
    ...(lost.files === 0 ? [] : [
      `  damaged ${lost.files}  ` +
      `${counted(lost.rows, "row")} lost with corrupt or missing files`,
    ]),
  ];
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
async function storedSource(
  path: string,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<Source> {
  const config = await readAgentConfig(path, "give -c CONFIG or --file LOG");
  const { data_dir: dataDir, host, region } = config;
  const streams = config.streams.map(({ name }) => name);
  const scratchFolder = resultsFolder(folder);
  const store = await connectSnapshots(dataDir) ??
    openStoredFiles({ dataDir, streams, host, scratchFolder });
  stack.use(store);
  return { store, dataDir, region, format: null };
}
