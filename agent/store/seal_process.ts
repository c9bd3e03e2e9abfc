/**
 * The short-lived process that writes a chunk: row groups of an hour need some 700 MB, which the
 * agent itself must never hold. Both sides are here: the parent's call and the child's work.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { z } from "zod";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { ACCESS, literal, parquetFiles, REJECTS, schemaOf } from "../../protocol/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { beNice, pathList, PROGRAM_FOLDER, SEAL_COMMAND, selfCommand } from "../self.ts";

/** Rows of a row group: larger ones compress better and need more memory (451 MB at 500,000). */
const ROW_GROUP_ROWS = 500_000;
/** What DuckDB may use in the seal process; more only helps row groups larger than ours. */
const MEMORY_BYTES = 600 * 2 ** 20;

const SealJob = z.object({
  stream: z.string(),
  /** Parts, in order. */
  sources: z.array(z.string()),
  target: z.string(),
  /** JSON for the Parquet file's key-value metadata. */
  metadata: z.string(),
});
export type SealJob = z.infer<typeof SealJob>;

const SealResult = z.object({ rows: z.number(), bytes: z.number(), sha256: z.string() });
export type SealResult = z.infer<typeof SealResult>;

/** Runs a job in a process of its own. @throws {LogvendError} internal, with what it said */
export async function runSealProcess(
  job: SealJob,
  { nice, signal }: { nice: number; signal: AbortSignal },
): Promise<SealResult> {
  signal.throwIfAborted();
  const self = selfCommand([SEAL_COMMAND], permissions(job));
  const child = new Deno.Command(self.command, {
    args: self.args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  beNice(child, nice);
  const sent = new Blob([JSON.stringify(job)]).stream().pipeTo(child.stdin);
  sent.catch(() => {}); // a child that dies early says itself why
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new LogvendError("internal", `Cannot seal into "${job.target}": ${said || "killed"}`);
  }
  return SealResult.parse(JSON.parse(new TextDecoder().decode(stdout)));
}

/** Just the program, the folders of the parts, and that of the chunk. */
function permissions({ sources, target }: SealJob): string[] {
  const folders = new Set([...sources, target].map((path) => dirname(path)));
  return [
    `--allow-read=${pathList(PROGRAM_FOLDER, ...folders)}`,
    `--allow-write=${pathList(dirname(target))}`,
    `--allow-ffi=${pathList(PROGRAM_FOLDER)}`,
    "--allow-env",
    "--allow-sys",
  ];
}

/** The child: reads one job from stdin, writes the file, prints the result as JSON. */
export async function sealWorker(): Promise<number> {
  try {
    const job = SealJob.parse(await new Response(Deno.stdin.readable).json());
    console.log(JSON.stringify(await writeChunk(job)));
    return 0;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  }
}

/** Merges parts into one file and hashes it. */
export async function writeChunk(job: SealJob): Promise<SealResult> {
  await using engine = await Engine.open({ threads: 1, memoryBytes: MEMORY_BYTES });
  const copied = await engine.read(
    `COPY (${chunkSelect(job.stream, job.sources)}) TO ${literal(job.target)}
     (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS},
      KV_METADATA {logvend: $metadata})`,
    { metadata: job.metadata },
  );
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await Deno.open(job.target); // closed by its readable
  for await (const block of file.readable) {
    hash.update(block);
    bytes += block.length;
  }
  return { rows: Number(copied.rows[0]?.[0]), bytes, sha256: hash.digest("hex") };
}

/**
 * The rows of parts in their order. Positions are kept only where a row does not directly follow
 * its predecessor, and line lengths only where they are not that of the line and one line feed:
 * everything else derives from the lines themselves.
 */
function chunkSelect(stream: string, sources: readonly string[]): string {
  const { physical } = schemaOf(stream);
  const typed = physical.map(({ name, type }) => `NULL::${type} AS ${name}`);
  const empty = `SELECT ${typed.join(", ")} WHERE false`;
  const rows = `${empty} UNION ALL BY NAME SELECT * FROM ${parquetFiles(sources)}`;
  if (stream === REJECTS) return rows;
  const follows = `coalesce(lag(generation) OVER () = generation
    AND lag(line_offset) OVER () + lag(line_length) OVER () = line_offset, false)`;
  return `SELECT * EXCLUDE (follows) REPLACE (
      if(follows, NULL, generation) AS generation,
      if(follows, NULL, line_offset) AS line_offset,
      nullif(line_length, octet_length(${ACCESS.expressions.line_bytes}) + 1) AS line_length)
    FROM (SELECT *, ${follows} AS follows FROM (${rows}))`;
}
