/** The first steps of every query: SQL to plan, plan to leased files, files to tables. */
import type { HostCoverage } from "../../protocol/messages.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import { testedLine } from "../../protocol/line_texts.ts";
import { ACCESS_SHAPE } from "../../protocol/stream_shape.ts";
import { schemaOf } from "../../protocol/streams.ts";
import { tableSelect } from "../../protocol/table_sql.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { PlanRequest } from "../../queries/plan/planner.ts";
import { within } from "../../queries/plan/reach.ts";
import type { Snapshot, SnapshotSource } from "../store/snapshot.ts";
import type { WorkerPool } from "./worker_pool.ts";
import { maskedSelect } from "../policy/masks.ts";
import type { Policy } from "../policy/policy_config.ts";
import type { Fate, WorkerProcess, WorkerResult } from "./worker_process.ts";
import type { Output, WorkerQuery } from "./worker_protocol.ts";

/** What queries need of the rest of the agent. */
export interface QueryParts {
  store: SnapshotSource;
  workers: WorkerPool;
  /** This host's region: a column of every table. */
  region: string;
  /** Bytes in log files that the tail has not read yet. */
  behindBytes: () => number;
}

/** What a worker is asked. */
export interface Question {
  asked: PlanRequest;
  /** What is wanted of the plan. */
  output(plan: Plan): Output;
  /** What holds for those who ask from elsewhere. @default nothing */
  rules?: QuestionRules;
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
  const { rules } = question;
  return await parts.workers.use(signal, async (worker) => {
    if (rules === undefined) return await runOn(worker, parts, question, signal);
    const limit = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    worker.started.then(() => {
      if (!isOver) timer = setTimeout(() => limit.abort(tookTooLong(rules)), rules.timeoutMs);
    });
    const until = AbortSignal.any([signal, limit.signal]);
    try {
      return await runOn(worker, parts, question, until);
    } catch (error) {
      const gaveUp = until.aborted && until.reason !== limit.signal.reason;
      if (worker.fate !== null && !gaveUp) rules.harmed(worker.fate);
      throw error;
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  });
}

async function runOn(
  worker: WorkerProcess,
  parts: QueryParts,
  { asked, output, rules }: Question,
  signal: AbortSignal,
): Promise<Finished> {
  const plan = await worker.plan(asked, signal);
  rules?.checkPlan(plan);
  const reached = within(plan.range, plan.reach);
  await using snapshot = await parts.store.snapshot({ tables: plan.tables, ...reached });
  const coverage = coverageOf(snapshot, parts.behindBytes());
  rules?.checkReading(coverage);
  const resultFolder = parts.workers.makeFolder("result-");
  try {
    const query = workerQuery(parts, {
      plan,
      snapshot,
      output: output(plan),
      resultFolder,
      mask: rules?.mask ?? {},
    });
    return { plan, result: await worker.run(query, signal), coverage, resultFolder };
  } catch (error) {
    await Deno.remove(resultFolder, { recursive: true });
    throw error;
  }
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
  const { since, until } = plan.range;
  const read = (files: readonly string[]) => files.map((path) => workers.pathFor(path));
  return {
    views: plan.tables.map((table) => {
      const { files = [], shape = ACCESS_SHAPE } = snapshot.tables.get(table) ?? {};
      const columns = plan.columnsRead[table] ?? [];
      const tests = plan.reach.lines[table];
      const lineSql = tests === undefined ? null : testedLine(shape, tests);
      const source = { files: read(files), region, since, until, columns, lineSql };
      const select = tableSelect(schemaOf(table, shape), source);
      return { table, sql: maskedSelect(select, columns, mask) };
    }),
    files: read([...snapshot.tables.values()].flatMap((table) => table.files)),
    output,
    result_folder: workers.pathFor(resultFolder),
  };
}

function coverageOf(snapshot: Snapshot, behindBytes: number): HostCoverage {
  const tables = [...snapshot.tables.values()];
  return {
    chunks: tables.reduce((sum, table) => sum + table.files.length, 0),
    rows_scanned: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes_read: tables.reduce((sum, table) => sum + table.bytes, 0),
    rejects: snapshot.rejects,
    gaps: snapshot.gaps,
    lost: snapshot.lost,
    behind_bytes: behindBytes,
  };
}
