/** The first steps of every query: SQL to plan, plan to leased files, files to tables. */
import type { HostCoverage } from "../../protocol/messages.ts";
import { holdsWord } from "../../protocol/line_words.ts";
import { ACCESS_SHAPE } from "../../protocol/stream_shape.ts";
import { schemaOf } from "../../protocol/streams.ts";
import { tableSelect } from "../../protocol/table_sql.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Planner } from "../../queries/plan/planner.ts";
import { within } from "../../queries/plan/reach.ts";
import type { Snapshot, SnapshotSource } from "../store/snapshot.ts";
import type { WorkerPool } from "./worker_pool.ts";
import type { WorkerResult } from "./worker_process.ts";
import type { Output, WorkerQuery } from "./worker_protocol.ts";

/** What queries need of the rest of the agent. */
export interface QueryParts {
  planner: Planner;
  store: SnapshotSource;
  workers: WorkerPool;
  /** This host's region: a column of every table. */
  region: string;
  /** Where results lie until they are sent; the workers' folder. */
  folder: string;
  /** Bytes in log files that the tail has not read yet. */
  behindBytes: () => number;
}

/** A result and the folder it lies in, which its owner removes. */
export interface Finished {
  result: WorkerResult;
  coverage: HostCoverage;
  resultFolder: string;
}

/**
 * Runs a plan over a snapshot that is taken when its turn has come.
 * @throws {LogvendError} the worker's, or `timeout` and `cancelled`; nothing is left behind then
 */
export async function runPlan(
  parts: QueryParts,
  plan: Plan,
  output: Output,
  signal: AbortSignal,
): Promise<Finished> {
  const resultFolder = Deno.makeTempDirSync({ dir: parts.folder, prefix: "result-" }); // 0.1 ms
  try {
    return await parts.workers.use(signal, async (worker) => {
      const reached = within(plan.range, plan.reach);
      await using snapshot = await parts.store.snapshot({ tables: plan.tables, ...reached });
      const coverage = coverageOf(snapshot, parts.behindBytes());
      const query = workerQuery({ plan, snapshot, region: parts.region, output, resultFolder });
      return { result: await worker.run(query, signal), coverage, resultFolder };
    });
  } catch (error) {
    await Deno.remove(resultFolder, { recursive: true });
    throw error;
  }
}

interface WorkerQueryParts {
  plan: Plan;
  snapshot: Snapshot;
  region: string;
  output: Output;
  resultFolder: string;
}

function workerQuery(parts: WorkerQueryParts): WorkerQuery {
  const { plan, snapshot, region, output, resultFolder } = parts;
  const { since, until } = plan.range;
  return {
    views: plan.tables.map((table) => {
      const { files = [], shape = ACCESS_SHAPE } = snapshot.tables.get(table) ?? {};
      const columns = plan.columnsRead[table] ?? [];
      const lineWhere = (plan.reach.words[table] ?? []).map((word) => holdsWord(shape, word))
        .filter((condition) => condition !== null);
      const source = { files, region, since, until, columns, lineWhere };
      return { table, sql: tableSelect(schemaOf(table, shape), source) };
    }),
    files: [...snapshot.tables.values()].flatMap((table) => table.files),
    output,
    result_folder: resultFolder,
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
