/** Answers a question that came before: only files that are new since then are read. */
import { join } from "node:path";
import type { Plan } from "../../queries/plan/plan.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import type { Policy } from "../policy/policy_config.ts";
import { microseconds } from "../store/files/stored_snapshot.ts";
import type { Snapshot, SnapshotTable } from "../store/snapshot.ts";
import { setsOf, together } from "./known_results.ts";
import type { FileSet, KnownQuery, KnownResults, KnownRows, Sets } from "./known_results.ts";
import { viewSelect } from "./views.ts";
import type { WorkerPool } from "./worker_pool.ts";
import type { WorkerProcess, WorkerResult } from "./worker_process.ts";
import type { Output, WorkerQuery } from "./worker_protocol.ts";

/** A question whose files are there. */
export interface Reusing {
  workers: WorkerPool;
  region: string;
  known: KnownResults;
  plan: Plan;
  snapshot: Snapshot;
  output: Output;
  mask: Policy["mask"];
  resultFolder: string;
}

type PartialsResult = Extract<WorkerResult, { kind: "partials" }>;

/** An answer, and which files were not read for it. */
export interface Reused {
  result: PartialsResult;
  known: { files: readonly string[] };
}

/** One message holds it; what is longer goes as a file, and is read anew each time. */
const BYTES_MAX = 64 * 1_024;

/** Bounds are whole milliseconds where rows have microseconds: less is surely inside. */
const MARGIN_US = 1_000;

/**
 * Null: it is asked for the first time, or nothing of it can be used again.
 * @throws {LogvendError} as `run` does
 */
export async function runReusing(
  worker: WorkerProcess,
  question: Reusing,
  signal: AbortSignal,
): Promise<Reused | null> {
  const { plan, known, snapshot, output, resultFolder } = question;
  const [table = "", ...tables] = plan.tables;
  const [partial, ...partials] = plan.partials;
  // Only groups can be put together from those of parts of the rows.
  if (plan.mode !== "aggregate" || output.kind !== "partials" || partial === undefined) return null;
  if (tables.length + partials.length + (output.broadcast?.length ?? 0) > 0) return null;
  const before = known.ask(keyOf(question));
  const files = snapshot.tables.get(table);
  if (before === null || before.isHopeless || files === undefined) return null;
  const { sinceUs, untilUs } = microseconds(plan.range);
  const sets = setsOf(files, { sinceUs: sinceUs + MARGIN_US, untilUs }, Date.now());
  if (sets === null || sets.sets.length === 0) return null;
  const fresh = sets.sets.filter(({ key }) => !before.sets.has(key));
  const query = queryOf(question, { table, partial, files, rest: sets.rest, fresh });
  const result = await worker.run(query, signal);
  if (result.kind !== "partials") throw new LogvendError("internal", "Another answer came");
  const whole = put(question, { before, sets, fresh, result });
  if (whole === null || whole.bytes > BYTES_MAX || whole.rows > output.caps.rows_max) {
    known.giveUp(before);
    for (const { name } of Deno.readDirSync(resultFolder)) {
      Deno.removeSync(join(resultFolder, name));
    }
    return null;
  }
  const isFresh = new Set(fresh);
  return {
    result: { ...result, shipped: [{ ...whole, table: partial.table }] },
    known: { files: sets.sets.filter((set) => !isFresh.has(set)).flatMap((set) => set.files) },
  };
}

interface Pieces {
  before: KnownQuery;
  sets: Sets;
  fresh: readonly FileSet[];
  result: PartialsResult;
}

/** All rows of the answer; null when some are too long to be kept. */
function put({ known }: Reusing, { before, sets, fresh, result }: Pieces): KnownRows | null {
  const [rest = null, ...added] = result.shipped.map((one) => one.encoding === "text" ? one : null);
  const all = merged(sets.sets, before, { fresh, added });
  if (rest === null || all === null) return null;
  known.keep(before, all);
  return together([rest, ...all.map(([, rows]) => rows)]);
}

/** What was known and what is new, by set; null when something is too long to be kept. */
function merged(
  sets: readonly FileSet[],
  before: KnownQuery,
  { fresh, added }: { fresh: readonly FileSet[]; added: readonly (KnownRows | null)[] },
): [string, KnownRows][] | null {
  const found: [string, KnownRows][] = [];
  for (const set of sets) {
    const rows = before.sets.get(set.key) ?? added[fresh.indexOf(set)] ?? null;
    if (rows === null) return null;
    found.push([set.key, rows]);
  }
  return found;
}

/** Whatever the results of a file hang on, but for the file. */
function keyOf({ plan, mask, region, snapshot }: Reusing): string {
  const { partials, columnsRead, reach: { lines } } = plan;
  const shapes = [...snapshot.tables.values()].map(({ shape }) => shape); // types widen
  return JSON.stringify([partials, columnsRead, lines, mask, region, shapes]);
}

interface QueryPieces {
  table: string;
  partial: Plan["partials"][number];
  files: SnapshotTable;
  rest: readonly string[];
  fresh: readonly FileSet[];
}

/** The partial over the rest of the rows, and over each set that is new. */
function queryOf(question: Reusing, pieces: QueryPieces): WorkerQuery {
  const { workers, region, plan, output, mask, resultFolder } = question;
  const { table, partial, files: { shape }, rest, fresh } = pieces;
  const named = (paths: readonly string[]) => paths.map((path) => workers.pathFor(path));
  const view = { plan, table, shape, region, mask };
  const whole = { since: null, until: null };
  const nameOf = (index: number) => `set ${index}`;
  const caps = output.kind === "partials" ? output.caps : { rows_max: 0, bytes_max: 0 };
  return {
    views: [
      { table, sql: viewSelect({ ...view, files: named(rest) }) },
      ...fresh.map((set, i) => ({
        table: nameOf(i),
        sql: viewSelect({ ...view, files: named(set.files), range: whole }),
      })),
    ],
    files: named([...rest, ...fresh.flatMap((set) => set.files)]),
    output: {
      kind: "partials",
      caps,
      partials: [
        { table: partial.table, sql: partial.sql },
        ...fresh.map((_, i) => ({
          table: nameOf(i),
          sql: `WITH ${identifier(table)} AS (SELECT * FROM ${identifier(nameOf(i))})
            SELECT * FROM (${partial.sql})`,
        })),
      ],
    },
    result_folder: workers.pathFor(resultFolder),
  };
}
