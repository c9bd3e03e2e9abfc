/** `logvend-agent import`: existing logs become sealed chunks, once. */
import { resolve } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { configureLogging } from "../../protocol/logging.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import { openStore } from "../agent.ts";
import { readAgentConfig } from "../config.ts";
import type { AgentConfig, StreamConfig } from "../config.ts";
import { readFile } from "../ingest/read_file.ts";
import { interruptSignal } from "./interrupt.ts";
import { NO_ROWS } from "./log_files.ts";

export interface ImportOptions {
  config: string;
  stream?: string;
}

export async function importCommand(files: string[], options: ImportOptions): Promise<void> {
  const config = await readAgentConfig(options.config);
  configureLogging({ level: "warning" });
  const signal = interruptSignal("Cancelled; importing again goes on where this ended");
  const stream = chosenStream(config, options.stream);
  const startedMs = performance.now();
  await using store = await openStore(config, signal);
  const total = { lines: 0, rows: 0, rejects: 0, bytesRead: 0 };
  for (const file of files) {
    const { name, format } = stream;
    const path = resolve(file);
    const read = await readFile({ path, stream: name, format, sink: store, signal });
    console.log(`${file}: ${read.skipped ? "known already, nothing added" : linesText(read)}`);
    total.lines += read.lines;
    total.rows += read.rows;
    total.rejects += read.rejects;
    total.bytesRead += read.bytesRead;
  }
  await store.flush();
  const chunks = await store.sealAll();
  const bytesOut = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  const ratio = total.bytesRead === 0 ? "-" : (bytesOut / total.bytesRead).toFixed(3);
  console.log(
    `${linesText(total)} · ${formatBytes(total.bytesRead)} in, ${formatBytes(bytesOut)} out ` +
      `(${ratio}) in ${counted(chunks.length, "chunk")} · ` +
      formatDurationMs(performance.now() - startedMs),
  );
  if (total.rows === 0 && total.rejects > 0) console.error(NO_ROWS);
}

function linesText(count: { lines: number; rows: number; rejects: number }): string {
  const { lines, rows, rejects } = count;
  return [counted(lines, "line"), counted(rows, "row"), counted(rejects, "reject")].join(", ");
}

/** @throws {LogvendError} usage, for a stream that is not configured */
function chosenStream(config: AgentConfig, name: string | undefined): StreamConfig {
  const stream = name === undefined
    ? config.streams[0]
    : config.streams.find((candidate) => candidate.name === name);
  if (stream === undefined) {
    const names = config.streams.map((candidate) => candidate.name).join(", ");
    throw new LogvendError("usage", `--stream ${name}: not configured; configured are ${names}`);
  }
  return stream;
}
