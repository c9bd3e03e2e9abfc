/** A folder with a log, a tail on it and the sink that it fills. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Tail } from "../../../../agent/ingest/tail.ts";
import type { Clock, TailedStream } from "../../../../agent/ingest/stream_tail.ts";
import { combinedLine } from "../../../harness/lines.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { MemorySink } from "./memory_sink.ts";

const DAY_MS = 86_400_000;

/** One test's surroundings. */
export interface Bench extends AsyncDisposable {
  folder: TempFolder;
  sink: MemorySink;
  path: string;
  /** Starts a tail of access.log*. */
  begin(config?: Partial<TailedStream>, clock?: Clock): Tail;
  /** The same, and waits until it has read everything. */
  start(config?: Partial<TailedStream>, clock?: Clock): Promise<Tail>;
  /** By it no time passes after the last change of a file, however long a look takes. */
  clock: Clock;
}

/** Makes them; nothing is followed yet. */
export async function bench(): Promise<Bench> {
  const folder = await TempFolder.make();
  const sink = new MemorySink();
  const begin = (config: Partial<TailedStream> = {}, clock?: Clock) => {
    const stream: TailedStream = {
      name: "logs",
      format: "auto",
      index: [],
      redact: [],
      drop: [],
      files: [folder.join("access.log*")],
      stdin: false,
      read_from: "beginning",
      ignore_older: DAY_MS,
      ...config,
    };
    return Tail.start({ streams: [stream], sink, ...(clock === undefined ? {} : { clock }) });
  };
  return {
    folder,
    sink,
    path: folder.join("access.log"),
    begin,
    async start(config = {}, clock) {
      const tail = begin(config, clock);
      await tail.idle();
      return tail;
    },
    clock: { nowMs: () => changedMs(folder.path), monotonicMs: () => performance.now() },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

function changedMs(folder: string): number {
  const files = [...Deno.readDirSync(folder)].map(({ name }) => Deno.statSync(join(folder, name)));
  return Math.max(...files.map(({ ctime }) => ctime?.getTime() ?? 0));
}

/** `count` whole lines, from number `first` on. */
export function text(count: number, first = 0): string {
  return Array.from({ length: count }, (_, i) => combinedLine(first + i)).join("");
}

/** Adds to a file, as a program that logs does. */
export async function append(path: string, content: string) {
  await Deno.writeTextFile(path, content, { append: true });
}

/** Every number up to `count` has come once, as a row. */
export function assertAll(sink: MemorySink, count: number) {
  assert.equal(sink.kept().length, sink.lines);
  assert.equal(sink.rejects, 0);
  const wanted = Array.from({ length: count }, (_, i) => `/item/${i}`).sort();
  assert.deepEqual(sink.requests(), wanted);
}
