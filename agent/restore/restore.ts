/** Makes the original text of a stream's log files up again, portion by portion. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { REJECTS, schemaOf } from "../../protocol/schema/streams.ts";
import type { WorkerPool } from "../query/worker_pool.ts";
import { resultFile } from "../query/worker_protocol.ts";
import type { Books } from "../account/report.ts";
import type { Snapshot } from "../store/snapshot.ts";
import { linesSelect } from "../../queries/restore/restore_sql.ts";
import type { Restored } from "../../queries/restore/restored_text.ts";
import { portionsOf } from "../../queries/restore/slices.ts";
import type { Portion, RunFile, Source } from "../../queries/restore/slices.ts";

/** What is restored. */
export interface RestoreRequest {
  stream: string;
  /** Half-open over ts: ISO 8601, UTC; null is unbounded. */
  range: { since: string | null; until: string | null };
  /** A condition that has passed the gate; null: every line, and the rejects between them. */
  where: string | null;
}

/** What restoring needs. */
export interface RestoreParts {
  /** Of the stream and, without a condition, of the rejects: durable rows only. */
  snapshot: Snapshot;
  /** Read after the snapshot was taken: they know all of its generations. */
  books: Books;
  workers: WorkerPool;
  dataDir: string;
  region: string;
}

/**
 * Yields the text of the stream's files: by path at first sight, then the order of generations.
 * @throws {LogvendError} unavailable, cancelled or internal
 */
export async function* restore(
  parts: RestoreParts,
  request: RestoreRequest,
  signal: AbortSignal,
): AsyncGenerator<Restored> {
  const { stream } = request;
  const { snapshot, books, dataDir } = parts;
  const rows = runFiles(snapshot.tables.get(stream)?.files ?? [], books, dataDir);
  const rejects = runFiles(snapshot.tables.get(REJECTS)?.files ?? [], books, dataDir);
  const sources = sourcesOf(books, stream, rows);
  for (const portion of portionsOf(sources, [...rows, ...rejects])) {
    yield* restorePortion(parts, request, {
      portion,
      rejects: new Set(rejects.map(({ path }) => path)),
      signal,
    });
  }
}

interface Step {
  portion: Portion;
  /** Paths of reject files. */
  rejects: ReadonlySet<string>;
  signal: AbortSignal;
}

async function* restorePortion(
  { workers, region, snapshot }: RestoreParts,
  request: RestoreRequest,
  { portion: { slices, files }, rejects, signal }: Step,
): AsyncGenerator<Restored> {
  const schema = schemaOf(request.stream, snapshot.tables.get(request.stream)?.shape);
  const read = (paths: readonly string[]) => paths.map((path) => workers.pathFor(path));
  const sql = linesSelect({
    ...request,
    schema,
    region,
    slices,
    files: read(files.filter((path) => !rejects.has(path))),
    rejects: read(files.filter((path) => rejects.has(path))),
  });
  const resultFolder = workers.makeFolder("restore-");
  try {
    const output = { kind: "lines", sql } as const;
    const query = {
      views: [],
      files: read(files),
      output,
      result_folder: workers.pathFor(resultFolder),
    };
    const result = await workers.use(signal, (worker) => worker.run(query, signal));
    if (result.kind !== "lines") {
      throw new LogvendError("internal", "The worker answered another question");
    }
    const pieces = result.pieces.flatMap(({ piece, ...amount }) => {
      const source = slices[piece]?.source;
      return source === undefined ? [] : [{ source, ...amount }];
    });
    yield { file: resultFile(resultFolder, 0), pieces };
  } finally {
    await Deno.remove(resultFolder, { recursive: true });
  }
}

/** The stretches that files may hold. A chunk that is newer than the books may hold anything. */
function runFiles(paths: readonly string[], { files }: Books, dataDir: string): RunFile[] {
  const known = new Map(files.map(({ path, runs }) => [join(dataDir, path), runs]));
  return paths.map((path) => ({ path, runs: known.get(path) ?? null }));
}

/** The generations of a stream, in their order. */
function sourcesOf({ generations, origins }: Books, stream: string, files: readonly RunFile[]) {
  const inputOf = ({ id, path }: Source) => origins.get(id)?.inputPath ?? path;
  const known = generations.filter((generation) => generation.stream === stream)
    .map(({ id, path, offset }): Source => ({ id, path, bytes: offset }))
    .sort((a, b) => inputOf(a) < inputOf(b) ? -1 : inputOf(a) > inputOf(b) ? 1 : 0);
  const ids = new Set(known.map(({ id }) => id));
  const strangers = files.flatMap(({ runs }) => runs ?? [])
    .filter(({ generation }) => !ids.has(generation));
  return [
    ...known,
    ...[...Map.groupBy(strangers, ({ generation }) => generation)].map(([id, runs]): Source => ({
      id,
      path: "unknown",
      bytes: Math.max(...runs.map(({ end }) => end)),
    })),
  ];
}
