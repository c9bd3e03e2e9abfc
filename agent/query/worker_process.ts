/** The agent's side of a query worker: starts it, hands it queries, stops what will not stop. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import {
  bareEnvironment,
  beNice,
  lastWords,
  pathList,
  PROGRAM_FOLDER,
} from "../../protocol/own_process.ts";
import { fromWireError } from "../../protocol/wire_error.ts";
import { selfCommand, WORKER_COMMAND } from "../self.ts";
import { spareFolder } from "../store/spare_folder.ts";
import { readJsonLines, writeJsonLine } from "../../protocol/json_lines.ts";
import { WorkerReply } from "./worker_protocol.ts";
import type { WorkerQuery, WorkerRequest } from "./worker_protocol.ts";

/** DuckDB heeds an interrupt within 21 ms, or not at all (levenshtein, list_sort, printf). */
const INTERRUPT_GRACE_MS = 1_000;

/** How much of the worker's last words goes into our log. */
const STDERR_CHARACTERS_MAX = 2_000;

export interface WorkerOptions {
  /** The only folder that workers write to. */
  folder: string;
  /** The folder whose Parquet files they read. */
  dataDir: string;
  /** Niceness of the workers. @default that of this process */
  nice?: number;
}

/** What a finished query gives. */
export type WorkerResult = Extract<WorkerReply, { kind: "partials" | "answer" | "lines" }>;

/** One process. Any query that does not succeed ends it: what state it is in, nobody knows. */
export class WorkerProcess implements AsyncDisposable {
  private readonly child: Deno.ChildProcess;
  private readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  private readonly replies: AsyncGenerator<unknown, void, undefined>;
  private readonly spillFolder: string;
  private readonly stderr: Promise<string>;
  private ready: Promise<void>;
  private ended = false;

  constructor(options: WorkerOptions) {
    this.spillFolder = join(options.folder, `spill-${crypto.randomUUID()}`);
    const self = selfCommand([WORKER_COMMAND, this.spillFolder], permissions(options));
    this.child = new Deno.Command(self.command, {
      args: self.args,
      cwd: options.folder,
      clearEnv: true,
      env: bareEnvironment(),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (options.nice !== undefined) beNice(this.child, options.nice);
    this.input = this.child.stdin.getWriter();
    this.replies = readJsonLines(this.child.stdout);
    this.stderr = lastWords(this.child.stderr);
    this.child.status.then(() => this.ended = true);
    this.ready = this.expectReady();
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Says whether another query may be run. */
  get alive(): boolean {
    return !this.ended;
  }

  /**
   * Runs one query; not while another one runs. When `signal` aborts, the query is interrupted,
   * and killed if that does not help.
   * @throws {LogvendError} with the worker's code; `timeout` or `cancelled` after an abort
   */
  async run(query: WorkerQuery, signal: AbortSignal): Promise<WorkerResult> {
    const watch = new AbortController();
    try {
      if (signal.aborted) throw abortError(signal);
      signal.addEventListener("abort", () => this.stop(watch.signal), { signal: watch.signal });
      await this.ready;
      if (signal.aborted) throw abortError(signal);
      await this.send({ kind: "query", query });
      const reply = await this.next();
      if (signal.aborted) throw abortError(signal); // its interrupt would hit the next query
      if (reply.kind === "failed") throw fromWireError(reply.error);
      if (reply.kind === "ready") throw new LogvendError("internal", "The worker is out of step");
      this.ready = this.expectReady();
      return reply;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw signal.aborted ? abortError(signal) : error;
    } finally {
      watch.abort();
    }
  }

  /** Interrupts; kills later, unless `settled` aborts before. */
  private stop(settled: AbortSignal) {
    this.send({ kind: "interrupt" }).catch(() => this.kill());
    const timer = setTimeout(() => this.kill(), INTERRUPT_GRACE_MS);
    settled.addEventListener("abort", () => clearTimeout(timer));
  }

  private send(request: WorkerRequest): Promise<void> {
    return writeJsonLine(this.input, request);
  }

  private async next(): Promise<WorkerReply> {
    const { done, value } = await this.replies.next();
    if (!done) return WorkerReply.parse(value);
    const [{ signal, code }, said] = await Promise.all([this.child.status, this.stderr]);
    throw new LogvendError(
      "internal",
      `The query's process ended (${signal ?? `exit ${code}`}); the agent goes on` +
        (said === "" ? "" : `. It said: ${said.slice(-STDERR_CHARACTERS_MAX)}`),
    );
  }

  private expectReady(): Promise<void> {
    const ready = this.next().then((reply) => {
      if (reply.kind !== "ready") throw new LogvendError("internal", "The worker is out of step");
    });
    ready.catch(() => {}); // the next query, if there is one, sees the failure
    return ready;
  }

  private kill() {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  /** Ends the process and removes what it spilled. */
  async [Symbol.asyncDispose]() {
    this.kill();
    await this.child.status;
    this.ended = true;
    await this.input.abort().catch(() => {}); // the pipe is broken already
    await this.ready.catch(() => {});
    await this.replies.return();
    await this.stderr;
    await Deno.remove(this.spillFolder, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/** Why a query was stopped. */
export function abortError(signal: AbortSignal): LogvendError {
  const { reason } = signal;
  if (reason instanceof LogvendError) return reason;
  return reason instanceof DOMException && reason.name === "TimeoutError"
    ? new LogvendError("timeout", "The query took longer than its timeout")
    : new LogvendError("cancelled", "The query was cancelled");
}

function permissions({ dataDir, folder }: WorkerOptions): string[] {
  return [
    `--allow-read=${pathList(PROGRAM_FOLDER, dataDir, spareFolder(dataDir), folder)}`,
    `--allow-write=${pathList(folder)}`,
    `--allow-ffi=${pathList(PROGRAM_FOLDER)}`,
  ];
}
