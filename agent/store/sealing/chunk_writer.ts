/** Makes one chunk of parts: a Parquet file of an hour's rows, and its SHA-256. */
import { z } from "zod";
import { Column } from "../../../protocol/wire/messages.ts";
import { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { emptySelect, literal, parquetFiles } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { rewriteChunk } from "../../../queries/erase/rewrite.ts";
import type { Rewritten } from "../../../queries/erase/rewrite.ts";
import { joinParts } from "./join_parts.ts";
import { hashFile } from "../files/verify.ts";

/** Rows of a row group: larger ones compress better and need more memory (451 MB at 500,000). */
const ROW_GROUP_ROWS_MAX = 500_000;
/** Of a row group as the parts have it: rows of access logs are about 70 bytes, lines kept whole more. */
const ROW_GROUP_BYTES = 48 * 2 ** 20;
/** Their rows are alike. */
const PARTS_LOOKED_AT = 32;
/** DuckDB's vector: it writes no smaller row groups. */
const ROW_GROUP_ROWS_MIN = 2_048;
/** What DuckDB may use for it; more only helps row groups larger than ours. */
const MEMORY_BYTES = 600 * 2 ** 20;

export const SealJob = z.object({
  /** Physical ones; parts of older versions may lack some. */
  columns: z.array(Column),
  /** Parts, in order; the SHA-256 of each, where it is known. */
  sources: z.array(z.object({ path: z.string(), sha256: z.string().nullable() })),
  target: z.string(),
  /** JSON for the Parquet file's key-value metadata. */
  metadata: z.string(),
});
export type SealJob = z.infer<typeof SealJob>;

/** A chunk that is written anew without the rows whose places are in the file `rows`. */
export const RewriteJob = z.object({
  kind: z.literal("rewrite"),
  table: z.string(),
  shape: StreamShape,
  chunk: z.string(),
  /** Hashed just now. */
  source: z.string(),
  rows: z.string(),
  target: z.string(),
});
export type RewriteJob = z.infer<typeof RewriteJob>;

/** What came of it. */
export interface RewriteResult extends Rewritten {
  bytes: number;
  sha256: string;
}

/** A chunk that was written. */
export interface SealResult {
  rows: number;
  bytes: number;
  sha256: string;
}

/** Some sources of a chunk are not what was written. */
export class DamagedSources extends Error {
  constructor(readonly paths: readonly string[]) {
    super(`Damaged: ${paths.join(", ")}`);
  }
}

/** Writes chunks, one after the other. */
export interface Sealer extends AsyncDisposable {
  /** @throws {DamagedSources} then there is no chunk */
  run(job: SealJob): Promise<SealResult>;
  rewrite(job: RewriteJob): Promise<RewriteResult>;
}

/** Writes them in this process, with a DuckDB of its own. */
export class ChunkWriter implements Sealer {
  private engine: Engine | null = null;

  /** `signal` ends the work: what runs throws. */
  constructor(private readonly signal: AbortSignal) {}

  async run(job: SealJob): Promise<SealResult> {
    const damaged = await damagedSources(job);
    if (damaged.length > 0) throw new DamagedSources(damaged);
    return await this.work(async (engine) =>
      await joinParts(engine, job) ?? await mergeParts(engine, job)
    );
  }

  async rewrite(job: RewriteJob): Promise<RewriteResult> {
    const rewritten = await this.work((engine) => rewriteChunk(engine, job));
    const { size: bytes } = await Deno.stat(job.target);
    return { ...rewritten, bytes, sha256: await hashFile(job.target) };
  }

  private async work<T>(act: (engine: Engine) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    this.engine ??= await Engine.open({ threads: 1, memoryBytes: MEMORY_BYTES });
    const { engine, signal } = this;
    const interrupt = () => engine.interrupt();
    signal.addEventListener("abort", interrupt);
    try {
      return await act(engine);
    } finally {
      signal.removeEventListener("abort", interrupt);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine?.[Symbol.asyncDispose]();
  }
}

/** A chunk gets a SHA-256 of its own: what is wrong in a part would never be noticed again. */
async function damagedSources({ sources }: SealJob): Promise<string[]> {
  const damaged: string[] = [];
  for (const { path, sha256 } of sources) {
    if (sha256 !== null && await hashFile(path) !== sha256) damaged.push(path);
  }
  return damaged;
}

/** Reads parts and writes their rows anew, then hashes that. */
async function mergeParts(
  engine: Engine,
  { columns, sources, target, metadata }: SealJob,
): Promise<SealResult> {
  const paths = sources.map(({ path }) => path);
  const copied = await engine.read(
    `COPY (${emptySelect(columns)} UNION ALL BY NAME SELECT * FROM ${parquetFiles(paths)})
     TO ${literal(target)}
     (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
      ROW_GROUP_SIZE ${await rowGroupRows(engine, paths)},
      KV_METADATA {logvend: $metadata})`,
    { metadata },
  );
  const { size: bytes } = await Deno.stat(target);
  const sha256 = await hashFile(target);
  return { rows: Number(copied.rows[0]?.[0]), bytes, sha256 };
}

/** As many rows as memory is surely enough for, by what some of the parts are like. */
async function rowGroupRows(engine: Engine, paths: readonly string[]): Promise<number> {
  const step = Math.ceil(paths.length / PARTS_LOOKED_AT);
  const some = paths.filter((_, i) => i % step === 0);
  const { rows: [[rowBytes] = []] } = await engine.read(
    `SELECT sum(total_uncompressed_size)
       / sum(row_group_num_rows) FILTER (WHERE column_id = 0)
     FROM parquet_metadata([${some.map(literal).join(", ")}])`,
  );
  const fitting = Math.floor(ROW_GROUP_BYTES / Math.max(1, Number(rowBytes)));
  return Math.min(ROW_GROUP_ROWS_MAX, Math.max(ROW_GROUP_ROWS_MIN, fitting));
}
