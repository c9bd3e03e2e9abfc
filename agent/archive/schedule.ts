/** When a host uploads: at a moment of its own, and after a failure at a random one. Pure. */
import { createHash } from "node:crypto";

/** The first wait after a failure is at most this long. */
const BACKOFF_FIRST_MS = 1_000;

/** How long a store that is back may go unnoticed; a fleet of 10,000 asks it 60 times a second. */
const BACKOFF_MAX_MS = 300_000;

/** The host's next moment after `nowMs`: hosts are spread evenly over the period. */
export function nextMoment(host: string, everyMs: number, nowMs: number): number {
  const offsetMs = createHash("sha256").update(host).digest().readUInt32BE(0) % everyMs;
  return Math.floor((nowMs - offsetMs) / everyMs + 1) * everyMs + offsetMs;
}

/**
 * Full jitter: at random below a bound that doubles with every failure, so that hosts that failed
 * together do not come back together.
 */
export function backoffMs(failures: number, random: () => number): number {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 30));
}
