/** The store's clockwork: flushes on the clock's marks, seals ripe hours, retires and verifies. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { Retention } from "./files/retain.ts";
import type { Store } from "./store.ts";

/** How often hours are looked through for ripe ones. */
const SEAL_CHECK_MS = 5_000;

/** How often there is a look for old chunks, and for a file to verify: 120,000 files a week. */
const KEEP_EVERY_MS = 5_000;

export interface MaintenanceOptions {
  store: Store;
  flushEveryMs: number;
  /** So long after the clock's marks rows are flushed. @default 0 */
  flushAfterMs?: number;
  /** Told after each of these flushes. */
  flushed?: () => void;
  /** What sealed chunks may stay. */
  retention: Retention;
  /** How often every part and chunk is verified, whether it is asked for or not. */
  scrubEveryMs: number;
  /** Whether the log files have been read to their ends. */
  isCaughtUp: () => boolean;
  signal: AbortSignal;
}

/** Runs until the signal; resolves when the last flush or sealing has ended. */
export async function maintain(options: MaintenanceOptions) {
  const { store, flushEveryMs, flushAfterMs, flushed, retention, ...rest } = options;
  const { scrubEveryMs, isCaughtUp, signal } = rest;
  const log = getLogger(["agent", "store"]);
  const flushing = everyMark({ everyMs: flushEveryMs, afterMs: flushAfterMs }, signal, async () => {
    await store.flush();
    flushed?.();
  }, (error) => {
    log.error("Cannot write parts, will try again: {error}", { error });
  });
  const sealing = everyMark(
    { everyMs: Math.min(SEAL_CHECK_MS, flushEveryMs) },
    signal,
    async () => {
      // While reading pauses nobody waits for what is unread; chunks are smaller, and may be dropped.
      const isAllThere = isCaughtUp() || store.condition().paused !== null;
      for (const chunk of await store.sealRipe(isAllThere)) {
        const { stream, hour, rows, bytes } = chunk;
        log.info("Sealed {stream} {hour}: {rows} rows, {bytes} bytes", {
          stream,
          hour,
          rows,
          bytes,
        });
      }
    },
    (error) => {
      log.error("Cannot seal, will try again: {error}", { error });
    },
  );
  const retiring = everyMark(
    { everyMs: Math.min(KEEP_EVERY_MS, flushEveryMs) },
    signal,
    () => store.keeper.retire(retention),
    (error) => {
      log.error("Cannot remove old chunks, will try again: {error}", { error });
    },
  );
  const scrubbing = everyMark(
    { everyMs: KEEP_EVERY_MS },
    signal,
    () => store.keeper.scrub(scrubEveryMs, signal),
    (error) => {
      log.error("Cannot verify stored files, will try again: {error}", { error });
    },
  );
  await Promise.all([flushing, sealing, retiring, scrubbing]);
}

/** Marks on the clock: multiples of a period, and a while after each. */
interface Marks {
  everyMs: number;
  afterMs?: number | undefined;
}

/** Runs `work` at every mark on the clock; a late run skips the marks it missed. */
async function everyMark(
  marks: Marks,
  signal: AbortSignal,
  work: () => Promise<void>,
  failed: (error: string) => void,
) {
  let broken = false;
  while (await mark(marks, signal)) {
    try {
      await work();
      broken = false;
    } catch (error) {
      if (!broken && !signal.aborted) failed(messageOf(error)); // once per outage
      broken = true;
    }
  }
}

/** Waits for the next mark; false when the signal came first. */
function mark({ everyMs, afterMs = 0 }: Marks, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve(true);
    }, everyMs - (Date.now() - afterMs) % everyMs);
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
