/** How archiving goes, for the fleet and for metrics. */
import type { HostArchive } from "../../protocol/wire/messages.ts";
import type { ArchiveBook } from "../store/database/archive_book.ts";
import type { Archive, ArchiveCondition } from "./archive.ts";

/** As the host says it with every heartbeat. */
export function archiveStats({ backlog, failure, untilMs }: ArchiveCondition): HostArchive {
  return {
    waiting_chunks: backlog.chunks,
    waiting_bytes: backlog.bytes,
    failure: failure?.short ?? null,
    failing_since: isoText(failure?.sinceMs),
    archived_to: isoText(untilMs),
  };
}

/** As metrics have it. */
export function archiveState(archive: Archive, { archiveBook }: { archiveBook: ArchiveBook }) {
  const { backlog, failure } = archive.condition();
  return {
    waiting: { chunks: backlog.chunks, bytes: backlog.bytes },
    oldestMs: backlog.sinceMs === null ? 0 : Math.max(0, Date.now() - backlog.sinceMs),
    total: archiveBook.total(),
    isFailing: failure !== null,
  };
}

function isoText(epochMs: number | null | undefined): string | null {
  return typeof epochMs === "number" ? new Date(epochMs).toISOString() : null;
}
