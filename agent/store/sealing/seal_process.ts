/**
 * The short-lived process that writes chunks, also without erased rows: row groups of an hour need some 700 MB, which the
 * agent itself must never hold. Both sides are here: the parent's call and the child's work.
 */
import { z } from "zod";
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import { readJsonLines, writeJsonLine } from "../../../protocol/wire/json_lines.ts";
import { beNice, pathList, PROGRAM_FOLDER } from "../../../protocol/process/own_process.ts";
import { SEAL_COMMAND, selfCommand } from "../../self.ts";
import { ChunkWriter, DamagedSources, RewriteJob, SealJob } from "./chunk_writer.ts";
import type { RewriteResult, Sealer, SealResult } from "./chunk_writer.ts";
import { removeIfThere } from "../../../protocol/durable_file.ts";

const SealReply = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("sealed"), rows: z.number(), bytes: z.number(), sha256: z.string() }),
  z.object({ kind: z.literal("rewritten"), result: z.custom<RewriteResult>() }),
  /** Paths of sources that are not what was written; there is no chunk then. */
  z.object({ kind: z.literal("damaged"), paths: z.array(z.string()) }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);
type SealReply = z.infer<typeof SealReply>;

const Job = z.union([RewriteJob, SealJob]);
type Job = z.infer<typeof Job>;

export interface SealProcessOptions {
  /** Whose parts and chunks it reads and writes. */
  dataDir: string;
  nice: number;
  signal: AbortSignal;
}

/** One process for any number of jobs, started with the first; a job that kills it ends no other. */
export class SealProcess implements Sealer {
  private running: Running | null = null;

  constructor(private readonly options: SealProcessOptions) {}

  /**
   * Runs one job; not while another one runs.
   * @throws {LogvendError} internal, with what it said; {DamagedSources}
   */
  async run(job: SealJob): Promise<SealResult> {
    const reply = await this.exchange(job);
    if (reply.kind === "sealed") return reply;
    throw cannotSeal(job, "it answered another question");
  }

  async rewrite(job: RewriteJob): Promise<RewriteResult> {
    const reply = await this.exchange(job);
    if (reply.kind === "rewritten") return reply.result;
    throw cannotSeal(job, "it answered another question");
  }

  private async exchange(job: Job): Promise<Extract<SealReply, { kind: "sealed" | "rewritten" }>> {
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
      case "rewritten":
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

function cannotSeal({ target }: Job, reason: string): LogvendError {
  return new LogvendError("internal", `Cannot seal into "${target}": ${reason}`);
}

/** The child: reads jobs from stdin until it ends, and answers each with a line. */
export async function sealWorker(): Promise<number> {
  await using writer = new ChunkWriter(new AbortController().signal);
  const output = Deno.stdout.writable.getWriter();
  for await (const line of readJsonLines(Deno.stdin.readable)) {
    const job = Job.parse(line);
    const reply = await replyTo(writer, job);
    try {
      await writeJsonLine(output, reply);
    } catch {
      await removeIfThere(job.target); // the agent was killed: the next one has looked already
      return 1;
    }
  }
  return 0;
}

async function replyTo(writer: ChunkWriter, job: Job): Promise<SealReply> {
  try {
    if ("kind" in job) return { kind: "rewritten", result: await writer.rewrite(job) };
    return { kind: "sealed", ...await writer.run(job) };
  } catch (error) {
    if (error instanceof DamagedSources) return { kind: "damaged", paths: [...error.paths] };
    return { kind: "failed", message: messageOf(error) };
  }
}
