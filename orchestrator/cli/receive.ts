/** Takes an answer as it comes: rows go to an output, how far it is to the terminal. */
import { LogvendError } from "../../protocol/errors.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd, ArchiveProgress } from "../api/events.ts";
import { ProgressLine } from "../progress.ts";
import type { QueryCommand } from "./ask.ts";
import type { ClientEvent } from "./client.ts";
import { InterimView } from "./interim_view.ts";
import type { RowOutput } from "./row_output.ts";
import type { Silence } from "./silence.ts";

export interface Receiving extends Omit<QueryCommand, "sql"> {
  question: SignedQuestion;
  output: RowOutput;
  signal: AbortSignal;
  silence: Silence;
  /** Gets to be true when the archive is being asked: the orchestrator keeps what comes. */
  began: { isReading: boolean };
}

/** Resolves with everything but the rows. @throws {LogvendError} the orchestrator's */
export async function receive(receiving: Receiving): Promise<AnswerEnd> {
  const { options, client, terminal, question, output, signal, silence, began } = receiving;
  const { sql, token, broadcast } = question;
  const interim = options.output === "table" && terminal.stdoutIsTerminal && !options.quiet;
  const view = new InterimView(terminal);
  const progress = new ProgressLine(terminal.progressOutput, !options.quiet);
  const rowsAreSeen = output.isWritten && terminal.stdoutIsTerminal;
  const startedMs = performance.now();
  let byteCount = 0;
  const request = { sql, token, broadcast, format: output.format, interim, signal } as const;
  try {
    for await (const event of client.query(request)) {
      silence.heard();
      if (event.type === "accepted") began.isReading = question.claims.source === "archive";
      switch (event.type) {
        case "accepted":
        case "progress":
          progress.show(progressText(event, startedMs));
          break;
        case "interim":
          progress.clear();
          await view.show(event);
          break;
        case "data":
          byteCount += event.bytes.length;
          if (rowsAreSeen) progress.clear();
          else progress.show(`${formatBytes(byteCount)} received`);
          await output.add(event.bytes, event.columns);
          break;
        case "end":
          progress.clear();
          await view.clear();
          await output.end(event);
          return event;
        default:
          event satisfies never;
      }
    }
  } finally {
    progress.clear();
    await view.clear();
  }
  throw new LogvendError("unavailable", "The answer was cut off");
}

/** `28/30 hosts · 1200 rows read · archive 12/48 chunks, 3 MB of 12 MB, 9 s left` */
export function progressText(
  event: Extract<ClientEvent, { type: "accepted" | "progress" }>,
  startedMs: number,
): string {
  if (event.type === "accepted") return `0/${counted(event.asked, "host")}`;
  const { answered, asked, rows_scanned, archive } = event;
  return `${answered}/${counted(asked, "host")} · ${counted(rows_scanned, "row")} read` +
    archiveText(archive, startedMs);
}

/** How far the archive is read, and how long the rest will take at that pace. */
function archiveText(archive: ArchiveProgress | undefined, startedMs: number): string {
  if (archive === undefined || archive.chunks_total === 0) return "";
  const { chunks, chunks_total, bytes, bytes_total } = archive;
  const share = bytes_total === 0 ? 1 : bytes / bytes_total;
  const leftMs = share === 0 ? null : (performance.now() - startedMs) * (1 / share - 1);
  const left = leftMs === null || leftMs < 1_000 ? "" : `, ${formatDurationMs(leftMs)} left`;
  return ` · archive ${chunks}/${counted(chunks_total, "chunk")}, ` +
    `${formatBytes(bytes)} of ${formatBytes(bytes_total)}${left}`;
}
