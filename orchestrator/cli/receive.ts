/** Takes an answer as it comes: rows go to an output, how far it is to the terminal. */
import { LogvendError } from "../../protocol/errors.ts";
import { formatBytes } from "../../protocol/units.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd } from "../api/events.ts";
import { ProgressLine } from "../progress.ts";
import type { QueryCommand } from "./ask.ts";
import { InterimView } from "./interim_view.ts";
import { ProgressText } from "./progress_text.ts";
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
  const text = new ProgressText();
  let byteCount = 0;
  const request = { sql, token, broadcast, format: output.format, interim, signal } as const;
  try {
    for await (const event of client.query(request)) {
      silence.heard();
      if (event.type === "accepted") began.isReading = question.claims.source === "archive";
      switch (event.type) {
        case "accepted":
        case "progress":
          progress.show(text.of(event));
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
