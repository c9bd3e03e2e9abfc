/** `logvend-agent import`: existing logs become sealed chunks, once. */
import { resolve } from "node:path";
import { configureLogging } from "../../protocol/process/logging.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import { openStore } from "../open_store.ts";
import { readAgentConfig } from "../config.ts";
import { openGeo } from "../geo/open_geo.ts";
import { dropping } from "../rules/drop.ts";
import { discover } from "../ingest/discover.ts";
import { fileKey } from "../ingest/identity.ts";
import { readFile } from "../ingest/read_file.ts";
import { lineForm } from "../ingest/line_form.ts";
import type { FileId } from "../ingest/read_file.ts";
import { bulkLimits } from "../store/limits.ts";
import { interruptSignal } from "./interrupt.ts";
import { formatName } from "../stream_format.ts";
import type { StreamConfig } from "../stream_config.ts";
import { stdinFile } from "./stdin_file.ts";
import { chosenStream } from "./streams.ts";
import { windowsOf } from "../window_config.ts";

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
  await using stack = new AsyncDisposableStack();
  await using geo = await openGeo(config);
  await using store = await openStore(config, signal, {
    quotaPolicy: "fail",
    isBulk: true,
    limits: bulkLimits(config.limits.nice),
  });
  await using sink = await dropping(store, [stream], config);
  const form = lineForm(stream, store.shape(stream.name), geo);
  const grows = await growingFiles(stream, signal);
  const total = { lines: 0, rows: 0, rejects: 0, dropped: 0, bytesRead: 0 };
  for (const file of new Set(files)) {
    const source = await sourceOf(file, stack, signal);
    const droppedBefore = sink.droppedCount;
    const found = await readFile({ ...source, stream: stream.name, form, sink, grows, signal });
    const dropped = sink.droppedCount - droppedBefore;
    const read = { ...found, rows: found.rows - dropped, dropped };
    const left = read.unfinishedBytes === 0 ? "" : "; its last line waits for its end";
    const added = read.skipped ? "known already, nothing added" : linesText(read);
    console.log(`${file}: ${added}${left}`);
    total.lines += read.lines;
    total.rows += read.rows;
    total.rejects += read.rejects;
    total.dropped += read.dropped;
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
  if (total.rows === 0 && total.rejects > 0) {
    console.error(
      `no line could be read as ${formatName(stream.format)}: logvend-agent try FILE says which ` +
        "format it has, SELECT * FROM rejects why",
    );
  }
  if (windowsOf(config) !== null) {
    console.error("imported lines make no windows: sinks get nothing of them");
  }
}

/** Where a file is; `-` is standard input, and called like that in the store. */
async function sourceOf(file: string, stack: AsyncDisposableStack, signal: AbortSignal) {
  if (file !== "-") return { path: resolve(file) };
  const folder = await Deno.makeTempDir({ prefix: "logvend-import-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  return { path: await stdinFile(folder, signal), name: file };
}

/** Tells the files that the agent follows and that may still be written to. */
async function growingFiles(stream: StreamConfig, signal: AbortSignal) {
  const { files } = await discover(stream.files, signal);
  const changedMs = Date.now() - stream.ignore_older;
  const growing = new Set(files.filter(({ mtimeMs }) => mtimeMs >= changedMs).map(fileKey));
  return (file: FileId) => growing.has(fileKey(file));
}

type LineCount = Record<"lines" | "rows" | "rejects" | "dropped", number>;

function linesText({ lines, rows, rejects, dropped }: LineCount): string {
  const texts = [counted(lines, "line"), counted(rows, "row"), counted(rejects, "reject")];
  return [...texts, ...(dropped === 0 ? [] : [`${dropped} dropped`])].join(", ");
}
