/** Answers one question as this host's part of the fleet's answer. */
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../protocol/errors.ts";
import type { HostCoverage } from "../../protocol/wire/messages.ts";
import { formatSelector } from "../../protocol/selector/selector.ts";
import type { AnswerTable, HostAnswer, HostQuery } from "../store/answer.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import { checkPlan, checkReading, refusal, tightened, tooMuch } from "../policy/policy.ts";
import { policyDigest } from "../policy/policy_digest.ts";
import type { Policy } from "../policy/policy_config.ts";
import type { Denial } from "../store/database/denied.ts";
import type { Store } from "../store/store.ts";
import type { ArchiveScope } from "../store/query_archive.ts";
import { listAnswer } from "./chunk_list.ts";
import { nearest } from "./nearest.ts";
import { explainQuestion, planQuestion, requestOf, runQuestion } from "./prepare.ts";
import type { Finished, QueryParts, Question, QuestionRules } from "./prepare.ts";
import { runArchived } from "./run_archived.ts";
import {
  HaveLeft,
  mayReachBefore,
  reachesBefore,
  whileNothingLeft,
  wholeHistory,
} from "./whole_history.ts";
import { resultFile } from "./worker_protocol.ts";
import type { Output } from "./worker_protocol.ts";

/** Of its time, what a question waits for the archive to list, and to give: the rest is for the host's own. */
const ARCHIVE_SHARE = 0.4;

const log = getLogger(["agent", "query"]);

/** What answers to the fleet need. */
export interface FleetParts extends QueryParts {
  policy: Policy;
  /** Queries that did harm here. */
  denied: Pick<Store, "denialOf" | "deny">;
}

/**
 * Plans, runs and hands back the partial tables.
 * @throws {LogvendError} bad_sql, too_many_rows, unavailable, timeout, cancelled or internal
 */
export async function answerQuery(
  parts: FleetParts,
  query: HostQuery,
  signal: AbortSignal,
): Promise<HostAnswer> {
  const { limits, broadcast = [], force = false, archive, source, explain, ...rest } = query;
  const { mayLack = false, ...question } = rest;
  const { policy, denied } = parts;
  if (!force) checkDenied(denied.denialOf(query.sql));
  const caps = tightened(policy, limits);
  const until = AbortSignal.any([signal, AbortSignal.timeout(limits.timeout_ms)]);
  const asked = {
    ...question,
    broadcast: broadcast.map(({ name, columns }) => ({ name, columns })),
    rowsMax: limits.rows_max,
  };
  const output = ({ partials }: Plan): Output => ({
    kind: "partials",
    broadcast,
    partials: partials.map(({ table, sql }) => ({ table, sql })),
    caps,
  });
  const whole = { asked, output, rules: rulesOf(parts, query), mayLack };
  try {
    if (explain) return emptyAnswer(await explainQuestion(parts, whole, until));
    if (archive !== undefined) return await answerPiece(parts, archive, whole, until);
    const { timeout_ms: timeoutMs } = limits;
    if (source === "auto" && parts.archive) {
      return await answerAll(parts, { ...whole, query, timeoutMs }, until);
    }
    return hostAnswer(await runQuestion(parts, whole, until));
  } catch (error) {
    throw tooMuch(policy, limits, error) ?? error;
  }
}

type WithGone = Question & { mayLack: boolean; timeoutMs: number };

/** Rows of this host may be in the archive alone, or be so before they are looked for here. */
async function answerAll(
  parts: FleetParts,
  { query, ...question }: WithGone & { query: HostQuery },
  signal: AbortSignal,
): Promise<HostAnswer> {
  const goneUntil = parts.store.goneUntil?.() ?? null;
  if (goneUntil !== null && mayReachBefore(goneUntil, query)) {
    return await answerWithGone(parts, question, signal);
  }
  return await answerFromStore(parts, question, signal);
}

/** Of this host's own: nothing that is asked has left it, as far as is known. */
async function answerFromStore(
  parts: FleetParts,
  question: WithGone,
  signal: AbortSignal,
): Promise<HostAnswer> {
  try {
    const store = whileNothingLeft(parts.store);
    return hostAnswer(await runQuestion({ ...parts, store }, question, signal));
  } catch (error) {
    if (error instanceof HaveLeft) return await answerWithGone(parts, question, signal);
    throw error;
  }
}

/** Rows of this host may be in the archive alone. */
async function answerWithGone(
  parts: FleetParts,
  question: WithGone,
  signal: AbortSignal,
): Promise<HostAnswer> {
  const { store, archive = null } = parts;
  const plan = await planQuestion(parts, question, signal);
  const own = formatSelector({ kind: "in", key: "host", values: [archive?.host ?? ""] });
  const scope = scopeOf(plan, question, own);
  if (archive === null || !reachesBefore(store.goneUntil?.() ?? null, scope.since)) {
    return await answerFromStore(parts, question, signal);
  }
  const { held } = parts;
  const archiveMs = question.timeoutMs * ARCHIVE_SHARE;
  const source = wholeHistory({ store, held, archive, scope, signal, archiveMs });
  return hostAnswer(await runArchived({ ...parts, store: source }, { ...question, plan }, signal));
}

/** A piece of a question to the archive. */
async function answerPiece(
  parts: FleetParts,
  { piece, selector }: NonNullable<HostQuery["archive"]>,
  question: Question & { mayLack: boolean },
  signal: AbortSignal,
): Promise<HostAnswer> {
  const archive = parts.archive ?? noArchive();
  const plan = await planQuestion(parts, question, signal);
  const scope = scopeOf(plan, question, selector);
  if (piece.kind === "list") return listAnswer(await archive.find(scope, signal));
  const chunks = [...new Map(piece.chunks.map((one) => [one[0], one])).values()]; // each once
  const { source, region } = archive.open(chunks, scope, signal); // all of them may be read
  const { held } = parts;
  const store = held ? nearest({ held, archive, chunks, scope, signal }) : source;
  const read = await runArchived({ ...parts, store, region }, { ...question, plan }, signal);
  return hostAnswer({
    ...read,
    coverage: { ...read.coverage, policy: policyDigest(parts.policy) },
  });
}

function noArchive(): never {
  throw new LogvendError("unavailable", "no archive is configured on this host");
}

function scopeOf(plan: Plan, { rules }: Question, selector: string): ArchiveScope {
  const { hosts, regions } = plan.reach;
  return { ...requestOf(plan, rules), selector, hosts, regions };
}

function rulesOf({ policy, denied }: FleetParts, { sql, now }: HostQuery): QuestionRules {
  return {
    mask: policy.mask,
    timeoutMs: policy.timeout,
    checkPlan: (plan) => checkPlan(policy, plan, now),
    checkReading: (coverage) => checkReading(policy, coverage),
    harmed(fate) {
      const reason = fate === "killed"
        ? "it went on after it was told to stop, and was killed"
        : "it ended the process that ran it";
      log.warning("A query is not run again for an hour: {reason}: {sql}", { reason, sql });
      denied.deny(sql, reason);
    },
  };
}

function checkDenied(denial: Denial | null) {
  if (denial === null) return;
  const { reason, untilMs } = denial;
  const until = new Date(untilMs).toISOString().slice(11, 19);
  throw refusal("denied", `${reason}; it is not run again before ${until}Z without --force`);
}

function emptyAnswer(coverage: HostCoverage): HostAnswer {
  return { tables: [], coverage, sqlMs: 0, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function hostAnswer({ result, coverage, resultFolder }: Finished): HostAnswer {
  if (result.kind !== "partials") {
    throw new LogvendError("internal", "The worker answered another question");
  }
  const tables = result.shipped.map((shipped, index): AnswerTable => {
    const { table, rows, bytes } = shipped;
    if (shipped.encoding === "parquet") {
      return { table, rows, bytes, encoding: "parquet", file: resultFile(resultFolder, index) };
    }
    return shipped;
  });
  return {
    tables,
    coverage,
    sqlMs: result.sql_ms,
    [Symbol.asyncDispose]: () => Deno.remove(resultFolder, { recursive: true }),
  };
}
