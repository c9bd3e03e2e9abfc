/** Whether chunks wait for the archive longer than they should. Pure. */
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import type { ArchiveCondition } from "./archive.ts";

/** A round of uploads may be missed, and some minutes be spent on waits between attempts. */
const ROUNDS = 2;
const GRACE_MS = 600_000;

/** What is late and why, for people; null: nothing is. */
export function lateness(
  { backlog, failure }: ArchiveCondition,
  { everyMs, nowMs }: { everyMs: number; nowMs: number },
): string | null {
  const { chunks, bytes, sinceMs } = backlog;
  if (sinceMs === null) return null;
  const waitedMs = nowMs - sinceMs;
  if (waitedMs < ROUNDS * everyMs + GRACE_MS) return null;
  const amount = `${counted(chunks, "chunk")} (${formatBytes(bytes)})`;
  const verb = chunks === 1 ? "waits" : "wait";
  const reason = failure === null ? "" : `: ${failure.message}`;
  return `${amount} ${verb} for the archive, the oldest for ${formatDurationMs(waitedMs)}${reason}`;
}
