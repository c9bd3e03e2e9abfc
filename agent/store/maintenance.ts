/** The store's clockwork: flushes on the clock's marks, seals ripe hours, retires and verifies. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { Retention } from "./retain.ts";
import type { Store } from "./store.ts";

/** How often hours are looked through for ripe ones. */
const SEAL_CHECK_MS = 5_000;

/** How often there is a look for old chunks, and for a file to verify: 120,000 files a week. */
const KEEP_EVERY_MS = 5_000;

export interface MaintenanceOptions {
  store: Store;
  flushEveryMs: number;
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
  const { store, flushEveryMs, retention, scrubEveryMs, isCaughtUp, signal } = options;
  const log = getLogger(["agent", "store"]);
  const flushing = everyMark(flushEveryMs, signal, async () => await store.flush(), (error) => {
    log.error("Cannot write parts, will try again: {error}", { error });
  });
  const sealing = everyMark(Math.min(SEAL_CHECK_MS, flushEveryMs), signal, async () => {
    // While reading pauses nobody waits for what is unread; chunks are smaller, and may be dropped.
    const isAllThere = isCaughtUp() || store.condition().paused !== null;
    for (const chunk of await store.sealRipe(isAllThere)) {
      const { stream, hour, rows, bytes } = chunk;
      log.info("Sealed {stream} {hour}: {rows} rows, {bytes} bytes", { stream, hour, rows, bytes });
    }
  }, (error) => {
    log.error("Cannot seal, will try again: {error}", { error });
  });
  const retiring = everyMark(
    Math.min(KEEP_EVERY_MS, flushEveryMs),
    signal,
    () => store.keeper.retire(retention),
    (error) => {
      log.error("Cannot remove old chunks, will try again: {error}", { error });
    },
  );
  const scrubbing = everyMark(
    KEEP_EVERY_MS,
    signal,
    () => store.keeper.scrub(scrubEveryMs, signal),
    (error) => {
      log.error("Cannot verify stored files, will try again: {error}", { error });
    },
  );
  await Promise.all([flushing, sealing, retiring, scrubbing]);
}

/** Runs `work` at every multiple of `periodMs` on the clock; a late run skips the marks it missed. */
async function everyMark(
  periodMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  failed: (error: string) => void,
) {
  let broken = false;
  while (await mark(periodMs, signal)) {
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
function mark(periodMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve(true);
    }, periodMs - Date.now() % periodMs);
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
