/** Signs one question, asks it, and takes its answer; asks for the rest of it when that breaks off. */
import { LogvendError } from "../../protocol/errors.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import { signAction } from "../access/sign.ts";
import type { SignedQuestion } from "../access/sign.ts";
import type { AnswerEnd } from "../api/events.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import type { ApiClient } from "./client.ts";
import { keyOf, signedAgain, signedQuestion } from "./question.ts";
import type { QuestionOptions } from "./question.ts";
import { receive } from "./receive.ts";
import type { RowOutput } from "./row_output.ts";
import { signedAsBefore } from "./signed_before.ts";
import { Silence } from "./silence.ts";
import type { Terminal } from "./terminal.ts";

export interface QueryOptions extends QuestionOptions {
  output: RowFormat | "table";
  watch?: string;
  allowPartial?: true;
  quiet?: true;
  /** A query that was asked before, to be asked again as it was. */
  resume?: string;
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

/** An orchestrator that has gone is looked for again and again. */
const LOOK_EVERY_MS = 1_000;

/** A question that ends an orchestrator more often than that may be the reason. */
const BREAKS_MAX = 3;

/** Signs it, and lets `run` ask it for as long as anything is heard. @throws {LogvendError} timeout */
export async function signedAndHeard<T>(
  command: QueryCommand,
  run: (question: SignedQuestion, silence: Silence, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { terminal } = command;
  const question = await signed(command);
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

async function signed({ sql, options, client, terminal }: QueryCommand): Promise<SignedQuestion> {
  const { resume } = options;
  if (resume === undefined) return await signedQuestion(sql, options, terminal.now());
  if (sql !== undefined || options.file !== undefined) {
    throw new LogvendError("usage", "--resume asks what was asked before: give no SQL");
  }
  const signer = { key: await keyOf(options), nowMs: terminal.now() };
  const token = await signAction("resume", resume, signer);
  const shown = await client.signedBefore({ id: resume, token, signal: terminal.signal });
  return await signedAsBefore({ name: resume, ...shown }, options, terminal.now());
}

/** An answer whose rows are where they should go, and to what. */
export interface Answered {
  question: SignedQuestion;
  end: AnswerEnd;
}

/**
 * What the archive was read for is asked again when the orchestrator ends in the middle: it keeps what
 * was read. @throws {LogvendError} the orchestrator's
 */
export async function ask(command: QueryCommand, output: RowOutput): Promise<Answered> {
  const { terminal, options } = command;
  return await signedAndHeard(command, async (first, silence, signal) => {
    let question = first;
    for (let breaks = 0;;) {
      const began = { isReading: false };
      try {
        const end = await receive({ ...command, question, output, signal, silence, began });
        return { question, end };
      } catch (error) {
        const isPassing = error instanceof LogvendError && error.code === "unavailable" &&
          !(error instanceof UnansweredError) && (began.isReading || breaks > 0);
        if (!isPassing || signal.aborted || breaks >= BREAKS_MAX || !await output.restart()) {
          throw error;
        }
        if (began.isReading) {
          breaks++;
          terminal.error(`${error.message}; asking again for what is not read yet`);
        }
        await terminal.sleep(LOOK_EVERY_MS);
        signal.throwIfAborted();
        question = await signedAgain(question, options, terminal.now());
      }
    }
  });
}
