/**
 * The short-lived process that writes chunks: row groups of an hour need some 700 MB, which the
 * agent itself must never hold. Both sides are here: the parent's call and the child's work.
 */
import { z } from "zod";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { literal, parquetFiles, schemaOf } from "../../protocol/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { readJsonLines, writeJsonLine } from "../json_lines.ts";
import { beNice, pathList, PROGRAM_FOLDER, SEAL_COMMAND, selfCommand } from "../self.ts";
import { removeIfThere } from "./durable_file.ts";
import { hashFile } from "./verify.ts";

/** Rows of a row group: larger ones compress better and need more memory (451 MB at 500,000). */
const ROW_GROUP_ROWS = 500_000;
/** What DuckDB may use in the seal process; more only helps row groups larger than ours. */
const MEMORY_BYTES = 600 * 2 ** 20;

const SealJob = z.object({
  stream: z.string(),
  /** Parts, in order; the SHA-256 of each, where it is known. */
  sources: z.array(z.object({ path: z.string(), sha256: z.string().nullable() })),
  target: z.string(),
  /** JSON for the Parquet file's key-value metadata. */
  metadata: z.string(),
});
export type SealJob = z.infer<typeof SealJob>;

const SealReply = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("sealed"), rows: z.number(), bytes: z.number(), sha256: z.string() }),
  /** Paths of sources that are not what was written; there is no chunk then. */
  z.object({ kind: z.literal("damaged"), paths: z.array(z.string()) }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);
type SealReply = z.infer<typeof SealReply>;

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

export interface SealProcessOptions {
  /** Whose parts and chunks it reads and writes. */
  dataDir: string;
  nice: number;
  signal: AbortSignal;
}

/** One process for any number of jobs, started with the first; a job that kills it ends no other. */
export class SealProcess implements AsyncDisposable {
  private running: Running | null = null;

  constructor(private readonly options: SealProcessOptions) {}

  /**
   * Runs one job; not while another one runs.
   * @throws {LogvendError} internal, with what it said; {DamagedSources}
   */
  async run(job: SealJob): Promise<SealResult> {
    this.options.signal.throwIfAborted();
    this.running ??= start(this.options);
    const { input, replies } = this.running;
    const sent = writeJsonLine(input, job);
    sent.catch(() => {}); // a child that dies early says itself why
    const { done, value } = await replies.next();
    if (done) throw cannotSeal(job, await this.stop() || "its process was killed");
    const reply = SealReply.parse(value);
    switch (reply.kind) {
      case "sealed":
        return reply;
      case "damaged":
        throw new DamagedSources(reply.paths);
      case "failed":
        throw cannotSeal(job, reply.message);
      default:
        return reply satisfies never;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Lets the child end; returns its last words. */
  private async stop(): Promise<string> {
    const { running } = this;
    this.running = null;
    if (running === null) return "";
    await running.input.close().catch(() => {}); // it may be dead
    const said = await running.said;
    await running.child.status;
    return said.trim();
  }
}

interface Running {
  child: Deno.ChildProcess;
  input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  replies: AsyncGenerator<unknown, void, undefined>;
  said: Promise<string>;
}

function start({ dataDir, nice, signal }: SealProcessOptions): Running {
  const self = selfCommand([SEAL_COMMAND], [
    `--allow-read=${pathList(PROGRAM_FOLDER, dataDir)}`,
    `--allow-write=${pathList(dataDir)}`,
    `--allow-ffi=${pathList(PROGRAM_FOLDER)}`,
    "--allow-env",
    "--allow-sys",
  ]);
  const child = new Deno.Command(self.command, {
    args: self.args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  beNice(child, nice);
  const input = child.stdin.getWriter();
  return { child, input, replies: readJsonLines(child.stdout), said: child.stderr.text() };
}

function cannotSeal({ target }: SealJob, reason: string): LogvendError {
  return new LogvendError("internal", `Cannot seal into "${target}": ${reason}`);
}

/** The child: reads jobs from stdin until it ends, and answers each with a line. */
export async function sealWorker(): Promise<number> {
  await using engine = await Engine.open({ threads: 1, memoryBytes: MEMORY_BYTES });
  const output = Deno.stdout.writable.getWriter();
  for await (const line of readJsonLines(Deno.stdin.readable)) {
    const job = SealJob.parse(line);
    const reply = await replyTo(engine, job);
    try {
      await writeJsonLine(output, reply);
    } catch {
      await removeIfThere(job.target); // the agent was killed: the next one has looked already
      return 1;
    }
  }
  return 0;
}

async function replyTo(engine: Engine, job: SealJob): Promise<SealReply> {
  try {
    const paths = await damagedSources(job);
    return paths.length > 0
      ? { kind: "damaged", paths }
      : { kind: "sealed", ...await writeChunk(engine, job) };
  } catch (error) {
    return { kind: "failed", message: messageOf(error) };
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

/** Merges parts into one file and hashes it. */
async function writeChunk(
  engine: Engine,
  { stream, sources, target, metadata }: SealJob,
): Promise<SealResult> {
  const copied = await engine.read(
    `COPY (${chunkSelect(stream, sources.map(({ path }) => path))}) TO ${literal(target)}
     (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS},
      KV_METADATA {logvend: $metadata})`,
    { metadata },
  );
  const { size: bytes } = await Deno.stat(target);
  const sha256 = await hashFile(target);
  return { rows: Number(copied.rows[0]?.[0]), bytes, sha256 };
}

/** The rows of parts in their order. A part of an older version may lack columns. */
function chunkSelect(stream: string, sources: readonly string[]): string {
  const typed = schemaOf(stream).physical.map(({ name, type }) => `NULL::${type} AS ${name}`);
  return `SELECT ${typed.join(", ")} WHERE false
    UNION ALL BY NAME SELECT * FROM ${parquetFiles(sources)}`;
}
