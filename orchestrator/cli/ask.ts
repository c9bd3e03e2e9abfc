/** Signs one question, asks it, and takes its answer. */
import { LogvendError } from "../../protocol/errors.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd } from "../api/events.ts";
import type { ApiClient } from "./client.ts";
import { signedQuestion } from "./question.ts";
import type { QuestionOptions } from "./question.ts";
import { receive } from "./receive.ts";
import type { RowOutput } from "./row_output.ts";
import { Silence } from "./silence.ts";
import type { Terminal } from "./terminal.ts";

export interface QueryOptions extends QuestionOptions {
  output: RowFormat | "table";
  watch?: string;
  allowPartial?: true;
  quiet?: true;
  /** URL that the result goes to. */
  publish?: string;
  /** Whether it may take the place of another one. */
  replace?: true;
  /** orchestrator.yaml, for stores to publish to. */
  config?: string;
}

export interface QueryCommand {
  sql: string | undefined;
  options: QueryOptions;
  client: ApiClient;
  terminal: Terminal;
}

/** The orchestrator may merge for as long as the hosts may run, and needs a moment for the rest. */
const GRACE_MS = 10_000;

/** Signs it, and lets `run` ask it for as long as anything is heard. @throws {LogvendError} timeout */
export async function signedAndHeard<T>(
  { sql, options, terminal }: QueryCommand,
  run: (question: SignedQuestion, silence: Silence, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const question = await signedQuestion(sql, options, terminal.now());
  const timeoutMs = 2 * question.claims.limits.timeout_ms + GRACE_MS;
  using silence = new Silence(timeoutMs);
  const signal = AbortSignal.any([terminal.signal, silence.signal]);
  try {
    return await run(question, silence, signal);
  } catch (error) {
    if (!terminal.signal.aborted && silence.signal.aborted) {
      throw new LogvendError("timeout", `Nothing came for ${timeoutMs / 1_000} s; raise --timeout`);
    }
    throw error;
  }
}

/** An answer whose rows are where they should go, and to what. */
export interface Answered {
  question: SignedQuestion;
  end: AnswerEnd;
}

/** @throws {LogvendError} the orchestrator's */
export async function ask(command: QueryCommand, output: RowOutput): Promise<Answered> {
  return await signedAndHeard(command, async (question, silence, signal) => {
    const end = await receive({ ...command, question, output, signal, silence });
    return { question, end };
  });
}
