/** `logvend archive restore`: the original lines of hosts, from object stores alone. */
import { join } from "node:path";
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { counted, formatBytes } from "../../protocol/units.ts";
import { intoFolder, toStdout } from "../../queries/restore/restored_text.ts";
import type { RestoredPiece } from "../../queries/restore/restored_text.ts";
import { listArchive } from "../archive/archived_chunks.ts";
import type { ArchivedChunk, ChunkFilter } from "../archive/archived_chunks.ts";
import { restoreHost } from "../archive/restore.ts";
import { checkCondition, filterOf, openArchives } from "./archive.ts";
import { AwayArchives } from "./away_archives.ts";
import type { ArchiveOptions } from "./archive.ts";
import type { Terminal } from "./terminal.ts";

/** What is restored, and where to. */
export interface RestoreOptions extends Omit<ArchiveOptions, "output"> {
  stream: string;
  where?: string;
  /** A folder: one below it for each host, with a file for each log file. */
  out?: string;
  /** Of the summary. @default table */
  output?: ArchiveOptions["output"];
}

/**
 * Host by host, in the order of their names. What is no chunk, and an archive of several that does not
 * answer, are named: the others are restored.
 * @returns the exit code: 75 when something is lacking
 * @throws {LogvendError}
 */
export async function restoreCommand(options: RestoreOptions, terminal: Terminal): Promise<number> {
  checkOutput(options);
  checkCondition(options.where);
  await using stores = await openArchives(options);
  const { signal } = terminal;
  const filter = filterOf(options, terminal);
  const away = new AwayArchives(stores.all, terminal);
  const chunks = await chunksOf(stores.all, options, { filter, away }, signal);
  const leftOut: { object: string; reason: string }[] = [];
  const onBad = (object: string, reason: string) => {
    leftOut.push({ object, reason });
    terminal.error(`left out: ${object}: ${reason}`);
  };
  const hosts = Map.groupBy(chunks, ({ place }) => `${place.host}\n${place.region}`);
  const names = [...hosts.keys()].sort();
  const pieces: RestoredPiece[] = [];
  for (const name of names) {
    const ofHost = hosts.get(name) ?? [];
    const [host = "", region = ""] = name.split("\n");
    const scratchFolder = await Deno.makeTempDir({ prefix: "logvend-restore-" });
    try {
      const out = options.out === undefined ? null : await intoFolder(join(options.out, host));
      await using _out = out;
      const request = {
        stream: options.stream,
        region,
        chunks: ofHost,
        range: filter.range,
        where: options.where ?? null,
        scratchFolder,
        nowIso: new Date(terminal.now()).toISOString(),
        onBad,
      };
      for await (const restored of restoreHost(request, signal)) {
        await (out ?? toStdout)(restored);
        pieces.push(...restored.pieces);
      }
    } finally {
      await Deno.remove(scratchFolder, { recursive: true });
    }
  }
  const sum = (key: "lines" | "bytes" | "cut") =>
    pieces.reduce((total, piece) => total + piece[key], 0);
  const restored = {
    ...{ lines: sum("lines"), bytes: sum("bytes"), cut: sum("cut") },
    ...{ hosts: names.length, chunks: chunks.length - leftOut.length, left_out: leftOut },
  };
  if (options.output === "json") await terminal.write(`${JSON.stringify(restored, null, 2)}\n`);
  sayRestored(restored, terminal);
  if (options.where !== undefined) terminal.error("with --where, rejected lines are left out");
  return leftOut.length === 0 && away.count === 0 ? 0 : EXIT_CODES.partial;
}

/** @throws {LogvendError} usage */
function checkOutput({ output, out }: RestoreOptions) {
  if (output !== "json" || out !== undefined) return;
  throw new LogvendError("usage", "-o json goes with --out FOLDER: else the lines are on stdout");
}

interface Restored {
  lines: number;
  bytes: number;
  /** Lines that were over the limit. */
  cut: number;
  hosts: number;
  chunks: number;
  left_out: readonly { object: string; reason: string }[];
}

function sayRestored(restored: Restored, terminal: Terminal) {
  const { lines, bytes, cut, hosts, chunks, left_out: leftOut } = restored;
  terminal.error(
    `${counted(lines, "line")}, ${formatBytes(bytes)} of ` +
      `${counted(hosts, "host")} from ${counted(chunks, "chunk")}` +
      (leftOut.length === 0 ? "" : `; ${counted(leftOut.length, "chunk")} left out`),
  );
  if (cut === 0) return;
  terminal.error(
    `not as they were: ${counted(cut, "line")} over the line limit, kept cut or not at all`,
  );
}

/** Of the stream, and the rejects between its lines. @throws {LogvendError} usage, of a stream that is none */
async function chunksOf(
  stores: Parameters<typeof listArchive>[0],
  { stream, where }: RestoreOptions,
  { filter, away }: { filter: ChunkFilter; away: AwayArchives },
  signal: AbortSignal,
): Promise<ArchivedChunk[]> {
  if (stream === REJECTS) {
    throw new LogvendError("usage", "--stream rejects: they come with the lines of their streams");
  }
  const chunks: ArchivedChunk[] = [];
  for (const name of where === undefined ? [stream, REJECTS] : [stream]) {
    const wanted = { ...filter, stream: name };
    for await (const chunk of listArchive(stores, wanted, signal, away.note)) {
      if (chunk.place !== null) chunks.push(chunk);
    }
  }
  return chunks;
}
