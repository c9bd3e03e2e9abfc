/** Merges what hosts answer as it comes, and says who is missing. */
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import type { QueryClaims } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { ArchivedOutcome, ArchivePart } from "./archive/archive_part.ts";
import type { ArchiveProgress } from "./archive/archive_work.ts";
import type { Audience } from "./audience.ts";
import type { Collector, HostAnswer, Outcome } from "./collector.ts";
import { coverageOf, unreadText } from "./coverage.ts";
import type { Coverage, HostResultSummary, Missing } from "./coverage.ts";
import { Interims, withPauses } from "./interim.ts";
import type { OnInterim } from "./interim.ts";
import { mergedBatches } from "./merged_batches.ts";
import { addAnswers, finishMerge, HELD_ROWS_MAX, prepareMerge } from "./merge.ts";
import type { Merge, Merged, RejectedAnswer } from "./merge.ts";
import { queryIdOf } from "./query_id.ts";
import { tooManyRows, whyRows } from "./too_many_rows.ts";
import type { HostRows } from "./too_many_rows.ts";
import { unanswered } from "./unanswered.ts";
import type { HostError } from "./unanswered.ts";
import type { Workspace } from "./workspace.ts";

export interface Progress {
  queryId: string;
  mode: Plan["mode"];
  /** Hosts asked, those known to be missing included. */
  asked: number;
  answered: number;
  /** By the hosts that have answered. */
  rowsScanned: number;
  /** How far the archive has been read; null: it is not, or not yet. */
  archive: ArchiveProgress | null;
}

export interface GatherRequest {
  claims: QueryClaims;
  plan: Plan;
  audience: Audience;
  /** The asker's own tables, which the merge may read. */
  broadcast: readonly BroadcastTable[];
  collector: Collector;
  /** What the archive answers; null: nothing. */
  archive: ArchivePart | null;
  /** The query's own. */
  workspace: Workspace;
  signal: AbortSignal;
  /** Called once, when the answer is known to be long, or to be heavy to make. What it throws ends the query. */
  onLong: () => void;
  onProgress?: (progress: Progress) => void;
  onInterim?: OnInterim | undefined;
}

/** An answer, and whom it covers. */
export interface Gathered {
  coverage: Coverage;
  merged: Merged;
  /** Rows that hosts shipped, and the bytes of their messages. */
  rowCount: number;
  byteCount: number;
}

/**
 * Makes the answer table in the engine, of the hosts that answered, all or not.
 * @throws {LogvendError} bad_sql, too_many_rows, cancelled, timeout, or unavailable when no host answered
 */
export async function gather(request: GatherRequest): Promise<Gathered> {
  const { collector, signal } = request;
  const onAbort = () => collector.fail(cancelled(signal));
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    const received = await receiveAll(request);
    const { asked, pruned } = request.audience;
    const { missing, archived } = request.archive?.settle(received.missing) ??
      { missing: received.missing, archived: null };
    const lacking = new Set(missing.map(({ host }) => host));
    const whole = pruned.filter((host) => !lacking.has(host));
    const coverage = coverageOf(received.answered, missing, whole.length, archived);
    const needsNobody = request.plan.partials.length === 0 ||
      (asked.length === 0 && pruned.length > 0) ||
      (archived !== null && (archived.coverage.length > 0 || missing.length === 0));
    if (received.answered.length === 0 && !needsNobody) {
      throw collector.lost ?? unanswered(received.errors, coverage);
    }
    const { merge: { rowCount }, archivedBytes } = received;
    const byteCount = collector.byteCount + archivedBytes;
    return { coverage, merged: await finish(request, received.merge), rowCount, byteCount };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

interface Received {
  merge: Merge;
  answered: HostResultSummary[];
  missing: Missing[];
  errors: HostError[];
  /** What hosts ship, or would ship. */
  amounts: HostRows[];
  tooMany: boolean;
  /** Of the messages with what the archive had. */
  archivedBytes: number;
}

/** Ends the reading of the archive with the question. */
class Reading implements Disposable {
  private readonly stop = new AbortController();
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.stop.signal]);
  }

  [Symbol.dispose]() {
    this.stop.abort();
  }
}

async function receiveAll(request: GatherRequest): Promise<Received> {
  const { claims, plan, audience, collector, archive } = request;
  const received: Received = {
    merge: await prepareMerge(request.workspace.engine, plan, request.broadcast),
    answered: [],
    missing: [...audience.missing],
    errors: [],
    amounts: [],
    tooMany: false,
    archivedBytes: 0,
  };
  const pruned = audience.pruned.length;
  const asked = audience.asked.length + pruned + audience.missing.length;
  const answered = () => received.answered.length + pruned;
  const scanned = () =>
    received.answered.reduce((sum, { coverage }) => sum + coverage.rows_scanned, 0);
  const progress = () =>
    request.onProgress?.({
      queryId: queryIdOf(claims.id),
      mode: plan.mode,
      asked,
      answered: answered(),
      rowsScanned: scanned() + (archive?.rowsScanned ?? 0),
      archive: archive?.progress ?? null,
    });
  progress();
  const { onInterim, signal } = request;
  if (plan.isHeavy) beginLong(request, received.merge);
  const interims = onInterim === undefined || plan.isHeavy
    ? null
    : new Interims(received.merge, onInterim);
  using reading = new Reading(signal);
  const batches = mergedBatches<(Outcome | ArchivedOutcome)[]>([
    collector.batches(),
    ...(archive === null ? [] : [archive.outcomes(plan, reading.signal)]),
  ]);
  for await (const batch of interims === null ? batches : withPauses(batches)) {
    await interims?.look({ answered: answered(), asked });
    if (batch === null) continue;
    for (const outcome of batch) {
      if (outcome.kind === "missing") takeMissing(request, received, outcome);
    }
    const answers = batch.flatMap((one) => one.kind === "answered" ? [one.answer] : []);
    await takeAnswers(request, received, answers);
    const archived = batch.flatMap((one) => one.kind === "archived" ? [one.answer] : []);
    for (const { answer, reason } of await addRows(request, received, archived)) {
      archive?.reject(answer, reason);
    }
    received.archivedBytes += archived.reduce((sum, { byteCount }) => sum + byteCount, 0);
    progress();
    // The archive is not read to its end for an answer that there will not be.
    const isTooLong = collector.byteCount + received.archivedBytes > claims.limits.bytes_max;
    if (isTooLong || (received.tooMany && archive?.isAsked === true)) {
      throw tooMany(request, received.amounts);
    }
  }
  if (received.tooMany) throw tooMany(request, received.amounts);
  return received;
}

function takeMissing(
  request: GatherRequest,
  received: Received,
  outcome: Extract<Outcome, { kind: "missing" }>,
) {
  const { host, why, reason, error } = outcome;
  received.missing.push({ host, kind: why, reason });
  if (error === undefined) return;
  received.errors.push({ host, error });
  if (error.code !== "too_many_rows") return;
  const { rows = 0, bytes = 0 } = error;
  received.amounts.push({ region: regionOf(request, host), rows, bytes });
  giveUp(request, received);
}

async function takeAnswers(
  request: GatherRequest,
  received: Received,
  answers: readonly HostAnswer[],
) {
  const rejected = await addRows(request, received, answers);
  if (received.tooMany) return; // only counted by now
  for (const { answer: { host }, reason } of rejected) {
    received.missing.push({ host, kind: "failed", reason });
  }
  for (const { host, coverage } of answers) {
    if (rejected.some(({ answer }) => answer.host === host)) continue;
    const behindMs = presenceOf(request, host)?.stats?.behind_ms ?? 0;
    received.answered.push({ host, coverage, behindMs });
    for (const unread of coverage.unread ?? []) {
      received.missing.push({ host, kind: "failed", reason: unreadText(unread) });
    }
  }
}

/** Merges rows, or only counts them once they are too many. Returns whose rows do not add up. */
async function addRows(
  request: GatherRequest,
  received: Received,
  answers: readonly HostAnswer[],
): Promise<RejectedAnswer[]> {
  const { plan, claims } = request;
  for (const { host, rows, byteCount: bytes } of answers) {
    const rowCount = Object.values(rows).reduce((sum, count) => sum + count, 0);
    received.amounts.push({ region: regionOf(request, host), rows: rowCount, bytes });
  }
  const rowCount = received.amounts.reduce((sum, { rows }) => sum + rows, 0);
  if (plan.reason !== null && rowCount > claims.limits.rows_max) giveUp(request, received);
  if (received.tooMany) return []; // only counted by now
  const { merge } = received;
  if (rowCount > HELD_ROWS_MAX && merge.left === null) {
    beginLong(request, merge);
  }
  return await addAnswers(merge, answers);
}

/** The merge will run in a process of its own, from the files that hosts send. */
function beginLong(request: GatherRequest, merge: Merge) {
  request.onLong();
  merge.left = [];
}

/** The answer would be too large: waits a moment for what the others would ship, for the message. */
function giveUp(request: GatherRequest, received: Received) {
  if (!received.tooMany) request.collector.hurry();
  received.tooMany = true;
}

function tooMany(
  { claims, plan, audience, archive }: GatherRequest,
  heard: readonly HostRows[],
) {
  const { since, until } = plan.range;
  const pieces = archive?.pieceCount ?? 0;
  const untilMs = Date.parse(until ?? claims.now);
  return tooManyRows({
    hostCount: audience.asked.length + (archive?.hostCount ?? 0),
    answerCount: audience.asked.length + pieces,
    heard,
    limits: claims.limits,
    reason: whyRows(plan),
    rangeMs: since === null ? null : untilMs - Date.parse(since),
  });
}

/** Computes the answer within as long again as the hosts were given. */
async function finish(
  { claims, signal, workspace }: GatherRequest,
  merge: Merge,
): Promise<Merged> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(claims.limits.timeout_ms)]);
  const interrupt = () => workspace.engine.interrupt();
  bound.addEventListener("abort", interrupt);
  try {
    return await finishMerge(merge, () => workspace.folder());
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    if (bound.aborted) throw tooLong(claims.limits.timeout_ms);
    throw error;
  } finally {
    bound.removeEventListener("abort", interrupt);
  }
}

/** Whoever aborts may say why. */
function cancelled({ reason }: AbortSignal): LogvendError {
  return reason instanceof LogvendError && reason.code === "cancelled"
    ? reason
    : new LogvendError("cancelled", "The query was cancelled");
}

function tooLong(timeoutMs: number): LogvendError {
  return new LogvendError(
    "timeout",
    "The hosts have answered, but their rows were not merged within " +
      `${formatDurationMs(timeoutMs)}: no answer. Raise --timeout, or ask for less`,
  );
}

function presenceOf({ audience }: GatherRequest, host: string) {
  return audience.asked.find(({ presence }) => presence.host === host)?.presence;
}

function regionOf(request: GatherRequest, host: string): string {
  return presenceOf(request, host)?.region ?? "";
}
