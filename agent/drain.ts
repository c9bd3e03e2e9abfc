/** The last hour of a host that goes for good: everything is read and sealed before the agent ends. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../protocol/errors.ts";
import { counted, formatDurationMs } from "../protocol/units.ts";
import type { Archive } from "./archive/archive.ts";
import type { Eraser } from "./erase/eraser.ts";
import type { Tail } from "./ingest/tail.ts";
import type { RunningWindows } from "./open_windows.ts";
import type { Store } from "./store/store.ts";

export interface DrainOptions {
  tail: Tail;
  store: Store;
  /** Null: nobody takes what is sealed. */
  archive: Archive | null;
  /** Flushes and sealings on the clock: two must not seal the same hour. */
  maintained: Promise<void>;
  /** Uploads on the clock: two must not upload the same chunk. */
  archived: Promise<void> | undefined;
  /** What is to be erased of chunks must not be archived with them. */
  eraser: Pick<Eraser, "work">;
  /** Erasing on the clock. */
  erased: Promise<void>;
  /** Ends tail and sealing; aborted when the drain is over, or took `timeoutMs`. */
  end: AbortController;
  timeoutMs: number;
  /** Those that are open are counted too, and sinks get them. */
  windows: RunningWindows | null;
}

/** Never throws: what could not be sealed in time stays in the data folder as parts, and is said. */
export async function drain(options: DrainOptions) {
  const { tail, store, archive, maintained, archived, eraser, erased, ...rest } = options;
  const { end, timeoutMs, windows } = rest;
  const log = getLogger(["agent", "drain"]);
  const within = formatDurationMs(timeoutMs);
  log.info("Draining: reads to the ends of the files and seals everything, within {within}", {
    within,
  });
  const timer = setTimeout(() => end.abort(), timeoutMs);
  try {
    await Promise.all([maintained, archived, erased, tail.idle({ isLast: true })]);
    await store.flush();
    await windows?.finish(end.signal);
    const chunks = await store.sealAll();
    const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
    log.info("Drained: sealed {rows} rows in {chunks} chunks", { rows, chunks: chunks.length });
    await archive?.learn(end.signal).catch(() => {}); // uploading meets the same, and says so
    await eraser.work(end.signal);
    await archive?.uploadAll(end.signal);
    const waiting = archive?.condition().backlog.chunks ?? 0;
    if (waiting > 0) throw new Error(`${counted(waiting, "chunk")} wait for an erasure that fails`);
  } catch (error) {
    const wanted = archive === null ? "sealed" : "sealed and archived";
    log.error(`Not everything is ${wanted} ({error}): what is left stays in the data folder`, {
      error: end.signal.aborted ? `it took longer than ${within}` : messageOf(error),
    });
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}
