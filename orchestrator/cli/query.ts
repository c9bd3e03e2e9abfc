/** `logvend query`: one SQL statement to the fleet, the rows on stdout, the rest on stderr. */
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { counted, formatBytes, formatDurationMs, parseDurationMs } from "../../protocol/units.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd, ArchiveProgress } from "../api/events.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import { coverageLines, emptyLines, explanationText, summaryLine } from "../output.ts";
import { ProgressLine } from "../progress.ts";
import type { ApiClient } from "./client.ts";
import { InterimView } from "./interim_view.ts";
import { signedQuestion, sqlText } from "./question.ts";
import type { QuestionOptions } from "./question.ts";
import { JsonObject } from "./json_object.ts";
import { Silence } from "./silence.ts";
import { TableRows } from "./table_rows.ts";
import type { Terminal } from "./terminal.ts";
import { watch } from "./watch.ts";

export interface QueryOptions extends QuestionOptions {
  output: RowFormat | "table";
  watch?: string;
  allowPartial?: true;
  quiet?: true;
}

export interface QueryCommand {
  sql: string | undefined;
  options: QueryOptions;
  client: ApiClient;
  terminal: Terminal;
}

/** The orchestrator may merge for as long as the hosts may run, and needs a moment for the rest. */
const GRACE_MS = 10_000;

/** Runs it; under --watch until Ctrl-C. Returns the exit code. @throws {LogvendError} */
export async function queryCommand(command: QueryCommand): Promise<number> {
  const { options, terminal } = command;
  if ((options.output === "parquet" || options.output === "arrow") && terminal.stdoutIsTerminal) {
    throw new LogvendError("usage", `-o ${options.output} is binary: redirect it, > rows.parquet`);
  }
  if (options.watch === undefined) return await once(command);
  const { file: _file, param: _param, ...rest } = options;
  const sql = await sqlText(command.sql, options); // standard input can be read once
  return await watch({
    everyMs: Math.max(1_000, parseDurationMs(options.watch, "--watch")),
    terminal,
    round: (terminal) => once({ ...command, sql, options: rest, terminal }),
  });
}

async function once(command: QueryCommand): Promise<number> {
  const { sql, options, terminal } = command;
  const question = await signedQuestion(sql, options, terminal.now());
  const timeoutMs = 2 * question.claims.limits.timeout_ms + GRACE_MS;
  using silence = new Silence(timeoutMs);
  const signal = AbortSignal.any([terminal.signal, silence.signal]);
  try {
    if (options.explain) return await explain(command, question, signal);
    return summarize(command, await receive({ ...command, question, signal, silence }));
  } catch (error) {
    if (error instanceof UnansweredError) {
      terminal.error(`${error.message}: exit ${error.exitCode}`);
      for (const line of coverageLines(error.coverage)) terminal.error(line);
      return error.exitCode;
    }
    if (!terminal.signal.aborted && signal.aborted) {
      throw new LogvendError("timeout", `Nothing came for ${timeoutMs / 1_000} s; raise --timeout`);
    }
    throw error;
  }
}

async function explain(
  { options, client, terminal }: QueryCommand,
  { sql, token, broadcast }: SignedQuestion,
  signal: AbortSignal,
): Promise<number> {
  const explanation = await client.explain({ sql, token, broadcast, signal });
  await terminal.write(
    options.output === "json"
      ? `${JSON.stringify(explanation)}\n`
      : explanationText(explanation, options),
  );
  return 0;
}

interface Receiving extends QueryCommand {
  question: SignedQuestion;
  signal: AbortSignal;
  silence: Silence;
}

/** Prints the rows as they come, those of a table at the end. */
async function receive(receiving: Receiving): Promise<AnswerEnd> {
  const { options, client, terminal, question, signal, silence } = receiving;
  const { sql, token, broadcast } = question;
  const format = options.output === "table" ? "jsonl" : options.output;
  const json = options.output === "json" ? new JsonObject((text) => terminal.write(text)) : null;
  const progress = new ProgressLine(terminal.progressOutput, !options.quiet);
  const table = options.output === "table" ? new TableRows(terminal.tableLook) : null;
  const startedMs = performance.now();
  let byteCount = 0;
  const interim = options.output === "table" && terminal.stdoutIsTerminal && !options.quiet;
  const view = new InterimView(terminal);
  const request = { sql, token, broadcast, format, interim, signal } as const;
  try {
    for await (const event of client.query(request)) {
      silence.heard();
      switch (event.type) {
        case "accepted":
          progress.show(`0/${counted(event.asked, "host")}`);
          break;
        case "progress":
          progress.show(
            `${event.answered}/${counted(event.asked, "host")} · ` +
              `${counted(event.rows_scanned, "row")} read${archiveText(event, startedMs)}`,
          );
          break;
        case "interim":
          progress.clear();
          await view.show(event);
          break;
        case "data": {
          const { bytes } = event;
          byteCount += bytes.length;
          if (terminal.stdoutIsTerminal) progress.clear();
          else progress.show(`${formatBytes(byteCount)} received`);
          if (json !== null) await json.rows(bytes, event.columns);
          else if (table !== null) table.add(bytes);
          else await terminal.write(bytes);
          break;
        }
        case "end":
          progress.clear();
          await view.clear();
          await json?.end(event);
          if (table !== null) await terminal.write(table.drawn(event.columns));
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

/** How far the archive is read, and how long the rest will take at that pace. */
function archiveText(
  { archive }: { archive?: ArchiveProgress | undefined },
  startedMs: number,
): string {
  if (archive === undefined || archive.chunks_total === 0) return "";
  const { chunks, chunks_total, bytes, bytes_total } = archive;
  const share = bytes_total === 0 ? 1 : bytes / bytes_total;
  const leftMs = share === 0 ? null : (performance.now() - startedMs) * (1 / share - 1);
  const left = leftMs === null || leftMs < 1_000 ? "" : `, ${formatDurationMs(leftMs)} left`;
  return ` · archive ${chunks}/${counted(chunks_total, "chunk")}, ` +
    `${formatBytes(bytes)} of ${formatBytes(bytes_total)}${left}`;
}

function summarize({ options, terminal }: QueryCommand, end: AnswerEnd): number {
  const partial = end.coverage.missing.length > 0;
  if (!options.quiet) {
    terminal.error(summaryLine({ end, asked: options }));
    for (const line of [...emptyLines(end), ...coverageLines(end.coverage)]) terminal.error(line);
    if (partial) {
      const exit = options.allowPartial ? "" : "exit 75 unless --allow-partial · ";
      terminal.error(`${exit}details: logvend queries ${end.query_id}`);
    }
  }
  return partial && !options.allowPartial ? EXIT_CODES.partial : 0;
}
