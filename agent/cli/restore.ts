/** `logvend-agent restore`: the original text of log files, from what the store has of them. */
import { join } from "node:path";
import { configureLogging } from "../../protocol/process/logging.ts";
import { parseRange, rangeInWords } from "../../protocol/range.ts";
import { REJECTS, schemaOf } from "../../protocol/schema/streams.ts";
import { counted, formatBytes } from "../../protocol/units.ts";
import { admitPredicate } from "../../queries/predicate.ts";
import { readAgentConfig } from "../config.ts";
import { connectSnapshots } from "../query/socket.ts";
import { WorkerPool } from "../query/worker_pool.ts";
import { restore } from "../restore/restore.ts";
import { intoFolder, restoredName, toStdout } from "../../queries/restore/restored_text.ts";
import type { RestoredPiece } from "../../queries/restore/restored_text.ts";
import type { Snapshot } from "../store/snapshot.ts";
import { openStoredFiles, readBooks } from "../store/files/stored_files.ts";
import { interruptSignal } from "./interrupt.ts";
import { chosenStream } from "./streams.ts";

export interface RestoreOptions {
  config: string;
  stream?: string;
  since?: string;
  until?: string;
  where?: string;
  out?: string;
}

/** @throws {LogvendError} usage, bad_config, bad_sql, unavailable, cancelled or internal */
export async function restoreCommand(options: RestoreOptions): Promise<void> {
  configureLogging({ level: "warning" });
  const config = await readAgentConfig(options.config);
  const { data_dir: dataDir, host, region } = config;
  const { name: stream } = chosenStream(config, options.stream);
  const asked = { since: options.since ?? "all", until: options.until };
  const range = parseRange(asked, Date.now());
  const now = new Date().toISOString();
  const signal = interruptSignal("Cancelled");
  const scratchFolder = await Deno.makeTempDir({ prefix: "logvend-restore-" });
  try {
    await using stack = new AsyncDisposableStack();
    const folder = join(scratchFolder, "results");
    const store = await connectSnapshots(dataDir) ??
      openStoredFiles({ dataDir, streams: [stream], host, scratchFolder: folder });
    stack.use(store);
    const workers = stack.use(await WorkerPool.open({ folder, dataDir }));
    const out = options.out === undefined ? null : stack.use(await intoFolder(options.out));
    const tables = options.where === undefined ? [stream, REJECTS] : [stream];
    const snapshot = stack.use(await store.snapshot({ tables, ...range, durable: true }));
    const { logical } = schemaOf(stream, snapshot.tables.get(stream)?.shape);
    const where = options.where === undefined ? null : (await admitPredicate({
      condition: options.where,
      table: stream,
      columns: logical,
      now,
    })).sql;
    const parts = { snapshot, books: readBooks(dataDir), workers, dataDir, region };
    const pieces: RestoredPiece[] = [];
    for await (const restored of restore(parts, { stream, range, where }, signal)) {
      await (out ?? toStdout)(restored);
      pieces.push(...restored.pieces);
    }
    const words = rangeInWords(asked, range);
    for (const line of summary({ pieces, words, snapshot, ...options })) console.error(line);
  } finally {
    await Deno.remove(scratchFolder, { recursive: true });
  }
}

interface Facts extends Pick<RestoreOptions, "out" | "where"> {
  pieces: readonly RestoredPiece[];
  /** The range. */
  words: string;
  snapshot: Snapshot;
}

/** What was restored, and what is not as it was. */
function summary({ pieces, words, snapshot: { gaps, lost }, out, where }: Facts): string[] {
  const sum = (of: readonly RestoredPiece[], key: "lines" | "bytes" | "cut") =>
    of.reduce((total, piece) => total + piece[key], 0);
  const files = [...Map.groupBy(pieces, ({ source }) => source).entries()];
  const named = out === undefined
    ? []
    : files.map(([source, ofFile]) =>
      `${join(out, restoredName(source))}: ${
        counted(sum(ofFile, "lines"), "line")
      } of ${source.path}`
    );
  const cut = sum(pieces, "cut");
  return [
    ...named,
    `${words} · ${counted(sum(pieces, "lines"), "line")}, ` +
    `${formatBytes(sum(pieces, "bytes"))} of ${counted(files.length, "file")}`,
    ...(cut === 0 ? [] : [
      `not as they were: ${counted(cut, "line")} over the line limit, kept cut or not at all`,
    ]),
    ...(lost.rows === 0 ? [] : [`missing: ${counted(lost.rows, "row")} lost with damaged files`]),
    ...(gaps.count === 0 ? [] : [
      `missing: ${formatBytes(gaps.bytes)} that were destroyed unread, in ${
        counted(gaps.count, "gap")
      }`,
    ]),
    ...(where === undefined ? [] : ["with --where, rejected lines are left out"]),
  ];
}
