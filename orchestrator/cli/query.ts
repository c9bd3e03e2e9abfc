/** `logvend query`: one SQL statement to the fleet, the rows on stdout, the rest on stderr. */
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import type { RangeText } from "../../protocol/range.ts";
import type { Range } from "../../protocol/signing/claims.ts";
import { parseDurationMs } from "../../protocol/units.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd } from "../api/events.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import { coverageLines, emptyLines, explanationText, summaryLine } from "../output.ts";
import { ask, signedAndHeard } from "./ask.ts";
import type { Answered, QueryCommand, QueryOptions } from "./ask.ts";
import { sqlText } from "./question.ts";
import { rowOutput } from "./row_output.ts";
import { watch } from "./watch.ts";

/** Runs it; under --watch until Ctrl-C. Returns the exit code. @throws {LogvendError} */
export async function queryCommand(command: QueryCommand): Promise<number> {
  const { options, terminal } = command;
  checkOptions(options);
  if (isBinary(options) && terminal.stdoutIsTerminal) {
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

function isBinary({ output }: QueryOptions): boolean {
  return output === "parquet" || output === "arrow";
}

function checkOptions({ publish, replace, resume, watch, output }: QueryOptions) {
  if (resume !== undefined && watch !== undefined) {
    throw new LogvendError("usage", "--watch and --resume: either of them");
  }
  if (publish === undefined) {
    if (replace) throw new LogvendError("usage", "--replace: what? It goes with --publish URL");
    return;
  }
  if (watch !== undefined) throw new LogvendError("usage", "--watch and --publish: either of them");
  if (output === "table" || output === "json") return;
  throw new LogvendError("usage", `--publish writes Parquet; -o json prints the manifest`);
}

async function once(command: QueryCommand): Promise<number> {
  const { options, terminal } = command;
  try {
    if (options.explain) {
      return await signedAndHeard(
        command,
        (question, _, signal) => explain(command, question, signal),
      );
    }
    if (options.publish !== undefined) {
      const { publishAnswer } = await import("./publish.ts"); // for it takes a DuckDB
      return await publishAnswer({ ...command, url: options.publish }, summarize);
    }
    return summarize(command, await ask(command, rowOutput(options.output, terminal)));
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    terminal.error(`${error.message}: exit ${error.exitCode}`);
    for (const line of coverageLines(error.coverage)) terminal.error(line);
    return error.exitCode;
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
  const isPartial = (explanation.archive?.unread.length ?? 0) > 0;
  return isPartial && !options.allowPartial ? EXIT_CODES.partial : 0;
}

/** Returns the exit code. */
function summarize({ options, terminal }: QueryCommand, { question, end }: Answered): number {
  const partial = end.coverage.missing.length > 0;
  if (!options.quiet) {
    const { claims: { range } } = question;
    const asked = options.resume === undefined ? options : askedBefore(range, end);
    terminal.error(summaryLine({ end, asked }));
    for (const line of [...emptyLines(end), ...coverageLines(end.coverage)]) terminal.error(line);
    if (partial) {
      const exit = options.allowPartial ? "" : "exit 75 unless --allow-partial · ";
      terminal.error(`${exit}details: logvend queries ${end.query_id}`);
    }
  }
  return partial && !options.allowPartial ? EXIT_CODES.partial : 0;
}

/** The range of what was asked before: it is not back from now any more. */
function askedBefore({ since, until, implied }: Range, { range: read }: AnswerEnd): RangeText {
  const isOfWhere = implied && read.since === null;
  return { since: isOfWhere ? undefined : since ?? "all", until: until ?? undefined };
}
