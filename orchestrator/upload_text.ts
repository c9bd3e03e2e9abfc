/** How a host's uploads go, in the words of one cell. Pure. */
import { counted } from "../protocol/units.ts";
import type { HostRecord } from "./api/events.ts";
import { clockText } from "./clock_text.ts";

/** `ok`, `S3 403 since 01:12, 3 chunks wait`, `archived to 02:00`, or `-` without an archive. */
export function uploadText({ state, archive }: HostRecord, nowMs: number): string {
  if (archive === null) return "-";
  const { failure, failing_since, waiting_chunks, archived_to } = archive;
  if (state === "offline") {
    return archived_to === null
      ? "nothing archived"
      : `archived to ${clockText(archived_to, nowMs)}`;
  }
  if (failure === null) return "ok";
  const since = failing_since === null ? "" : ` since ${clockText(failing_since, nowMs)}`;
  const verb = waiting_chunks === 1 ? "waits" : "wait";
  return `${failure}${since}, ${counted(waiting_chunks, "chunk")} ${verb}`;
}
