/** Whether the agent works (healthy), and whether it does all that it is there for (ready). Pure. */
import { formatDurationMs } from "../../protocol/units.ts";
import type { StoreCondition } from "../store/observer.ts";

/** What health is judged by. */
export interface Signs {
  condition: StoreCondition;
  /** How long the loop that reads has stood still, milliseconds. */
  readingStoodMs: number;
  /** How often flushes are due, milliseconds. */
  flushEveryMs: number;
  /** Whether every file has been read to its end once since the start. */
  hasCaughtUp: boolean;
  /** Why log files are not read yet; null: they are. */
  heldBack: string | null;
  /** What waits for the archive too long; null: nothing, or there is no archive. */
  lateUpload: string | null;
}

/** Loops come round in seconds; a slow disk is given this long before it counts as a standstill. */
const STANDSTILL_MS = 60_000;

/** What a restart would help against; empty: healthy. */
export function illnesses({ condition, readingStoodMs, flushEveryMs }: Signs): string[] {
  const { broken, writeError, paused, flushStoodMs } = condition;
  const reasons: string[] = [];
  if (broken) reasons.push("a batch could not be kept in memory: restart the agent");
  if (flushStoodMs > 2 * flushEveryMs + STANDSTILL_MS) {
    reasons.push(`no flush was tried for ${formatDurationMs(flushStoodMs)}`);
  }
  // While parts cannot be written, or there is no room for them, reading waits as it should.
  if (readingStoodMs > STANDSTILL_MS && writeError === null && paused === null) {
    reasons.push(`reading has stood still for ${formatDurationMs(readingStoodMs)}`);
  }
  return reasons;
}

/** What keeps the newest lines out of answers, or from being durable or archived; empty: ready. */
export function hindrances(signs: Signs): string[] {
  const { condition: { writeError, paused }, hasCaughtUp, heldBack, lateUpload } = signs;
  const reasons = illnesses(signs);
  if (writeError !== null) reasons.push(`parts cannot be written: ${writeError}`);
  if (paused !== null) reasons.push(`reading pauses: ${paused}`);
  if (heldBack !== null) reasons.push(heldBack);
  else if (!hasCaughtUp) {
    reasons.push("the log files have not been read to their ends since the start");
  }
  if (lateUpload !== null) reasons.push(lateUpload);
  return reasons;
}
