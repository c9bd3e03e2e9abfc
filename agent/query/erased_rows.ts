/** Finds the rows of a stored chunk that an erasure means, in a query worker: their SQL is somebody's. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import type { Erasure } from "../../protocol/signing/erasure.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { EMPTY_SHAPE } from "../../protocol/schema/stream_shape.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { conditionOf, conditionRequest, rowsQuery } from "../../queries/erase/condition.ts";
import { shapeOfFile } from "../../queries/restore/file_shape.ts";
import type { StoredFile } from "../store/database/catalog.ts";
import type { MeantRows } from "../store/sealing/erase_chunk.ts";
import type { WorkerPool } from "./worker_pool.ts";
import { resultFile } from "./worker_protocol.ts";

/** An hour of a busy host takes seconds. */
const TIMEOUT_MS = 600_000;

export interface FinderParts {
  workers: WorkerPool;
  dataDir: string;
  region: string;
}

/** Null: no row of the chunk is meant. @throws {LogvendError} bad_sql, timeout, cancelled, internal */
export async function erasedRows(
  { workers, dataDir, region }: FinderParts,
  { erasure, chunk }: { erasure: Erasure; chunk: StoredFile },
  signal: AbortSignal,
): Promise<MeantRows | null> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const source = join(dataDir, chunk.path);
  const shape = chunk.stream === REJECTS ? EMPTY_SHAPE : await shapeOf(source);
  const resultFolder = workers.makeFolder("result-");
  const remove = () => Deno.remove(resultFolder, { recursive: true });
  try {
    const rows = await workers.useNow(until, async (worker) => {
      const plan = await worker.plan(conditionRequest(erasure), until);
      const path = workers.pathFor(source);
      const file = { table: chunk.stream, path, shape, region };
      const query = rowsQuery(erasure, conditionOf(plan, erasure), file);
      if (query === null) return 0;
      const result = await worker.run({
        views: [query.view],
        files: [path],
        output: { kind: "answer", sql: query.sql, format: "parquet" },
        result_folder: workers.pathFor(resultFolder),
      }, until);
      if (result.kind !== "answer") throw new LogvendError("internal", "Another answer came");
      return result.rows;
    });
    if (rows > 0) {
      return { shape, path: resultFile(resultFolder, 0), [Symbol.asyncDispose]: remove };
    }
  } catch (error) {
    await remove();
    throw error;
  }
  await remove();
  return null;
}

async function shapeOf(path: string) {
  await using engine = await Engine.open();
  return await shapeOfFile(engine, path);
}
