/** The first steps of every query: SQL to plan, plan to leased files, files to tables. */
import { HOUR_SPANS_MAX } from "../../protocol/wire/messages.ts";
import type { HostCoverage } from "../../protocol/wire/messages.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { PlanRequest } from "../../queries/plan/planner.ts";
import { within } from "../../queries/plan/reach.ts";
import type {
  HeldChunks,
  Snapshot,
  SnapshotRequest,
  SnapshotSource,
  TableNeeds,
} from "../store/snapshot.ts";
import type { ArchiveScope, QueryArchive } from "../store/query_archive.ts";
import type { WorkerPool } from "./worker_pool.ts";
import type { Policy } from "../policy/policy_config.ts";
import type { Fate, WorkerProcess, WorkerResult } from "./worker_process.ts";
import type { KnownResults } from "./known_results.ts";
import { runReusing } from "./reuse.ts";
import type { Reused } from "./reuse.ts";
import { pathsOf, unreadByHost } from "./unread.ts";
import { lentSelect } from "./views.ts";
import type { Output, WorkerQuery } from "./worker_protocol.ts";

/** What queries need of the rest of the agent. */
export interface QueryParts {
  store: SnapshotSource;
  workers: WorkerPool;
  /** This host's region: a column of every table. */
  region: string;
  /** The region's archive; none: this host has none. */
  archive?: QueryArchive | null;
  /** What of it is on this host's disk still. @default nothing */
  held?: HeldChunks;
  /** Bytes in log files that the tail has not read yet. */
  behindBytes: () => number;
  /** Where results are kept for questions that come again. @default nowhere */
  known?: KnownResults;
}

/** What a worker is asked. */
export interface Question {
  asked: PlanRequest;
  /** What is wanted of the plan. */
  output(plan: Plan): Output;
  /** What holds for those who ask from elsewhere. @default nothing */
  rules?: QuestionRules | undefined;
}

/** What a question may do. */
export interface QuestionRules {
  /** By column, what is shown instead of its values. */
  mask: Policy["mask"];
  /** How long it may run, from when its turn has come. */
  timeoutMs: number;
  /** @throws {LogvendError} not_permitted */
  checkPlan(plan: Plan): void;
  /** @throws {LogvendError} not_permitted */
  checkReading(coverage: HostCoverage): void;
  /** It took its worker with it: not because whoever asked gave up. */
  harmed(fate: Fate): void;
}

/** A result and the folder it lies in, which its owner removes. */
export interface Finished {
  plan: Plan;
  result: WorkerResult;
  coverage: HostCoverage;
  resultFolder: string;
}

/**
 * Plans and runs a question over a snapshot that is taken when its turn has come.
 * @throws {LogvendError} the worker's, or `timeout` and `cancelled`; nothing is left behind then
 */
export async function runQuestion(
  parts: QueryParts,
  question: Question,
  signal: AbortSignal,
): Promise<Finished> {
  const { asked, output, rules } = question;
  return await parts.workers.use(
    signal,
    (worker) =>
      ruled(worker, { rules, signal }, async (until) => {
        const plan = await worker.plan(asked, until);
        rules?.checkPlan(plan);
        await using snapshot = await parts.store.snapshot(requestOf(plan, rules));
        return await runOn({ parts, worker, plan, snapshot, output, rules }, until);
      }),
  );
}

/** Plans a question that is run later. @throws {LogvendError} like runQuestion */
export async function planQuestion(
  { workers }: QueryParts,
  { asked, rules }: Question,
  signal: AbortSignal,
): Promise<Plan> {
  return await workers.use(signal, (worker) =>
    ruled(worker, { rules, signal }, async (until) => {
      const plan = await worker.plan(asked, until);
      rules?.checkPlan(plan);
      return plan;
    }));
}

/**
 * Does what a run does before its plan is run: says what it would read here, or why it may not. The
 * newest rows and those that only the archive has do not count.
 * @throws {LogvendError} like runQuestion
 */
export async function explainQuestion(
  parts: QueryParts,
  question: Question,
  signal: AbortSignal,
): Promise<HostCoverage> {
  const { rules } = question;
  const plan = await planQuestion(parts, question, signal);
  const request = { ...requestOf(plan, rules), committed: true };
  await using snapshot = await parts.store.snapshot(request);
  const coverage = coverageOf(snapshot, parts.behindBytes());
  rules?.checkReading(coverage);
  return coverage;
}

/** A question that was planned before. */
export type Planned = Omit<Question, "asked"> & { plan: Plan; mayLack: boolean };

/**
 * Runs a plan over a snapshot that took long: no worker has waited meanwhile.
 * @throws {LogvendError} like runQuestion
 */
export async function runOver(
  parts: QueryParts,
  { plan, output, rules, snapshot }: Planned & { snapshot: Snapshot },
  signal: AbortSignal,
): Promise<Finished> {
  const { known: _, ...rest } = parts; // it knows files of the store
  return await parts.workers.use(
    signal,
    (worker) =>
      ruled(
        worker,
        { rules, signal },
        (until) => runOn({ parts: rest, worker, plan, snapshot, output, rules }, until),
      ),
  );
}

/** What a plan needs of the store. What is masked is looked for by what is shown instead. */
export function requestOf(
  plan: Plan,
  rules?: QuestionRules,
): SnapshotRequest & Pick<ArchiveScope, "needs"> {
  const { tables, columnsRead, reach } = plan;
  const masked = new Set(Object.keys(rules?.mask ?? {}).map((name) => name.toLowerCase()));
  const needs = tables.map((table): [string, TableNeeds] => {
    const values = Object.entries(reach.values[table] ?? {})
      .filter(([column]) => !masked.has(column.toLowerCase()));
    return [table, {
      columns: columnsRead[table] ?? [],
      values: Object.fromEntries(values),
      countsOnly: reach.countsOnly,
    }];
  });
  return { ...within(plan.range, reach), tables, needs: Object.fromEntries(needs) };
}

interface Ruled {
  rules: QuestionRules | undefined;
  signal: AbortSignal;
}

/** Lets a worker work for as long as the rules say; what harms it is told to them. */
async function ruled<T>(
  worker: WorkerProcess,
  { rules, signal }: Ruled,
  work: (until: AbortSignal) => Promise<T>,
): Promise<T> {
  if (rules === undefined) return await work(signal);
  const limit = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  worker.started.then(() => {
    if (!isOver) timer = setTimeout(() => limit.abort(tookTooLong(rules)), rules.timeoutMs);
  });
  const until = AbortSignal.any([signal, limit.signal]);
  try {
    return await work(until);
  } catch (error) {
    const gaveUp = until.aborted && until.reason !== limit.signal.reason;
    if (worker.fate !== null && !gaveUp) rules.harmed(worker.fate);
    throw error;
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}

interface Run extends Omit<Question, "asked"> {
  parts: QueryParts;
  worker: WorkerProcess;
  plan: Plan;
  snapshot: Snapshot;
}

async function runOn(run: Run, signal: AbortSignal): Promise<Finished> {
  const { parts, worker, plan, snapshot, output, rules } = run;
  const coverage = coverageOf(snapshot, parts.behindBytes());
  rules?.checkReading(coverage);
  const resultFolder = parts.workers.makeFolder("result-");
  try {
    const pieces = { plan, snapshot, output: output(plan), resultFolder, mask: rules?.mask ?? {} };
    const { known, workers, region } = parts;
    const reused = known === undefined
      ? null
      : await runReusing(worker, { ...pieces, known, workers, region }, signal);
    if (reused !== null) {
      return {
        plan,
        result: reused.result,
        coverage: less(coverage, snapshot, reused),
        resultFolder,
      };
    }
    const result = await worker.run(workerQuery(parts, pieces), signal);
    return { plan, result, coverage, resultFolder };
  } catch (error) {
    await Deno.remove(resultFolder, { recursive: true });
    throw error;
  }
}

/** What was not read again is said, and is not among the bytes read. */
function less(coverage: HostCoverage, { tables }: Snapshot, { known }: Reused): HostCoverage {
  const files = new Set(known.files);
  const stored = [...tables.values()].flatMap((table) => table.stored ?? []);
  const unread = stored.filter(({ path }) => files.has(path));
  const sum = (key: "rows" | "bytes") => unread.reduce((total, file) => total + file[key], 0);
  return { ...coverage, rows_known: sum("rows"), bytes_read: coverage.bytes_read - sum("bytes") };
}

function tookTooLong({ timeoutMs }: QuestionRules): LogvendError {
  return new LogvendError(
    "timeout",
    `policy.timeout of this host: stopped after ${formatDurationMs(timeoutMs)}; ask for less`,
    { details: { rule: "timeout" } },
  );
}

interface WorkerQueryParts {
  plan: Plan;
  snapshot: Snapshot;
  output: Output;
  resultFolder: string;
  mask: Policy["mask"];
}

function workerQuery(
  { region, workers }: QueryParts,
  { plan, snapshot, output, resultFolder, mask }: WorkerQueryParts,
): WorkerQuery {
  const read = (files: readonly string[]) => files.map((path) => workers.pathFor(path));
  const lent = new Map(
    [...snapshot.tables].map(([name, { files, archived, ...table }]) => [
      name,
      {
        ...table,
        files: read(files),
        archived: archived?.map((some) => ({ ...some, files: read(pathsOf(some)) })) ?? [],
      },
    ]),
  );
  const nothing = { files: [], rows: 0, bytes: 0 };
  return {
    views: plan.tables.map((table) => {
      const request = { ...lent.get(table) ?? nothing, plan, table, region, mask };
      return { table, sql: lentSelect(request) };
    }),
    files: [...lent.values()].flatMap(({ files, archived }) => [
      ...files,
      ...archived.flatMap((some) => some.files),
    ]),
    output,
    result_folder: workers.pathFor(resultFolder),
  };
}

function coverageOf(snapshot: Snapshot, behindBytes: number): HostCoverage {
  const tables = [...snapshot.tables.values()];
  return {
    chunks: tables.reduce((sum, { files, archived = [] }) => {
      return sum + files.length + archived.reduce((more, some) => more + some.files.length, 0);
    }, 0),
    rows_scanned: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes_read: tables.reduce((sum, table) => sum + table.bytes, 0),
    rejects: snapshot.rejects,
    gaps: snapshot.gaps,
    lost: snapshot.lost,
    behind_bytes: behindBytes,
    ...(snapshot.archive === undefined ? {} : { archive: snapshot.archive }),
    ...unreadByHost(snapshot.unread ?? []),
    ...(snapshot.absent === undefined || snapshot.absent.length === 0
      ? {}
      : { absent: snapshot.absent.slice(0, HOUR_SPANS_MAX) }),
  };
}
