/** How far a query is, in a line: hosts, rows, and what is left of the archive at the pace so far. */
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import type { ArchiveProgress } from "../api/events.ts";
import type { ClientEvent } from "./client.ts";

/** Shorter times are over before they are read. */
const LEFT_SHOWN_MS = 1_000;

export class ProgressText {
  /** When the archive began to be read, and what was there already: it is no part of the pace. */
  private begun: { ms: number; bytes: number } | null = null;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** `28/30 hosts · 1200 rows read · archive 12/48 chunks, 3 MB of 12 MB, 9 s left` */
  of(event: Extract<ClientEvent, { type: "accepted" | "progress" }>): string {
    if (event.type === "accepted") return `0/${counted(event.asked, "host")}`;
    const { answered, asked, rows_scanned, archive } = event;
    const hosts = asked === 0 ? "" : `${answered}/${counted(asked, "host")} · `; // it is the archive alone
    return `${hosts}${counted(rows_scanned, "row")} read${this.archiveText(archive)}`;
  }

  private archiveText(archive: ArchiveProgress | undefined): string {
    if (archive === undefined || archive.chunks_total === 0) return "";
    const { chunks, chunks_total, bytes, bytes_total } = archive;
    this.begun ??= { ms: this.nowMs(), bytes };
    const read = bytes - this.begun.bytes;
    const leftMs = (this.nowMs() - this.begun.ms) * (bytes_total - bytes) / read; // NaN: nothing yet
    const left = leftMs >= LEFT_SHOWN_MS && read > 0 ? `, ${formatDurationMs(leftMs)} left` : "";
    return ` · archive ${chunks}/${counted(chunks_total, "chunk")}, ` +
      `${formatBytes(bytes)} of ${formatBytes(bytes_total)}${left}`;
  }
}
