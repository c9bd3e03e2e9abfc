/** The agent's side of a query worker: starts it, hands it queries, stops what will not stop. */
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../protocol/errors.ts";
import {
  bareEnvironment,
  beNice,
  lastWords,
  pathList,
  PROGRAM_FOLDER,
} from "../../protocol/process/own_process.ts";
import { fromWireError } from "../../protocol/wire/wire_error.ts";
import { selfCommand, WORKER_COMMAND } from "../self.ts";
import { spareFolder } from "../store/files/spare_folder.ts";
import { readJsonLines, writeJsonLine } from "../../protocol/wire/json_lines.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { PlanRequest } from "../../queries/plan/planner.ts";
import { libraryPath } from "../../protocol/process/kernel_file.ts";
import { endUnheeded } from "./patience.ts";
import { makeOwnFolder, pathForWorker } from "./worker_folders.ts";
import { WorkerReply } from "./worker_protocol.ts";
import type { WorkerQuery, WorkerRequest, WorkerSettings } from "./worker_protocol.ts";

/** How much of the worker's last words goes into our log. */
const STDERR_CHARACTERS_MAX = 2_000;

/**
 * What is freed goes back to the host within 10 ms, at the end of a query at once. (At once in
 * mid-query made a GROUP BY of 44,000 texts 1.6 times as slow; after 30 ms it holds 220 MB more.)
 */
const ALLOCATORS = {
  MALLOC_ARENA_MAX: "1",
  DUCKDB_JE_MALLOC_CONF: "dirty_decay_ms:10,muzzy_decay_ms:0,retain:false",
};
/** Little of a query is in JavaScript. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=1,--max-old-space-size=256";

/** Longer than the planner allows itself, and what does not heed that. */
const PLAN_MAX_MS = 6_000;

/** More disk than this for one query is a query that should be asked differently. */
const SPILL_BYTES_MAX = 2 * 2 ** 30;

/** One query's, unless the agent's policy says otherwise. */
const MEMORY_BYTES = 512 * 2 ** 20;
/** Of a file with its result. */
const FILE_BYTES_MAX = 20 * 2 ** 30;

export interface WorkerOptions {
  /** The only folder that workers write to: one of its own for each. */
  folder: string;
  /** The folder whose Parquet files they read; they stand in it. */
  dataDir: string;
  /** Niceness of the workers. @default that of this process */
  nice?: number;
  /** What one query may take. @default 512 MiB */
  memoryBytes?: number;
  /** The user that workers become; null: the one that they are started by. */
  user: number | null;
  /** Whether answers may be wanted as Arrow. @default false */
  arrow?: boolean;
}

/** What a finished query gives. */
export type WorkerResult = Extract<WorkerReply, { kind: "partials" | "answer" | "lines" }>;

/** How a worker ended that was at work: by our SIGKILL, when it did not heed an interrupt, or else. */
export type Fate = "killed" | "died";

/** One process. Any query that does not succeed ends it: what state it is in, nobody knows. */
export class WorkerProcess implements AsyncDisposable {
  private readonly child: Deno.ChildProcess;
  private readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  private readonly replies: AsyncGenerator<unknown, void, undefined>;
  private readonly spillFolder: string;
  private readonly stderr: Promise<string>;
  private ready: Promise<void>;
  private ended = false;
  private wasKilled = false;
  /** How its last query ended it, if one did. */
  fate: Fate | null = null;

  constructor(options: WorkerOptions) {
    const { folder, dataDir, user, memoryBytes = MEMORY_BYTES, arrow = false } = options;
    this.spillFolder = makeOwnFolder({ parent: folder, prefix: "spill-", user });
    const library = libraryPath();
    const settings: WorkerSettings = {
      spill_folder: pathForWorker(this.spillFolder, dataDir),
      spill_bytes_max: SPILL_BYTES_MAX,
      memory_bytes: memoryBytes,
      file_bytes_max: FILE_BYTES_MAX,
      user,
      library,
      arrow,
    };
    const self = selfCommand(
      [WORKER_COMMAND, JSON.stringify(settings)],
      permissions(options, library),
    );
    this.child = new Deno.Command(self.command, {
      args: self.args,
      cwd: dataDir,
      clearEnv: true,
      env: { ...bareEnvironment(), ...ALLOCATORS },
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

  /** Resolves when it may be asked, or will never be. */
  get started(): Promise<void> {
    return this.ready.catch(() => {}); // whoever asks sees the failure
  }

  /** Says whether another query may be run. */
  get alive(): boolean {
    return !this.ended;
  }

  /**
   * Plans SQL, not while anything else is at work here. Binding evaluates what stands for a constant,
   * and types may grow without end: so it is done where it can be killed.
   * @throws {LogvendError} bad_sql, and the worker is as before; others as `run` does
   */
  async plan(request: PlanRequest, signal: AbortSignal): Promise<Plan> {
    const late = new AbortController();
    const tooLong = `The SQL takes longer than ${PLAN_MAX_MS / 1_000} s to plan: simplify it`;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    this.started.then(() => { // it may take long on a busy host, which is not the SQL's fault
      if (isOver) return;
      timer = setTimeout(() => late.abort(new LogvendError("bad_sql", tooLong)), PLAN_MAX_MS);
    });
    try {
      const until = AbortSignal.any([signal, late.signal]);
      const reply = await this.exchange({ kind: "plan", request }, until);
      if (reply.kind === "refused") throw fromWireError(reply.error);
      if (reply.kind !== "planned") throw outOfStep();
      return reply.plan;
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  /**
   * Runs one query; not while another one runs. When `signal` aborts, the query is interrupted,
   * and killed if that does not help.
   * @throws {LogvendError} with the worker's code; `timeout` or `cancelled` after an abort
   */
  async run(query: WorkerQuery, signal: AbortSignal): Promise<WorkerResult> {
    const reply = await this.exchange({ kind: "query", query }, signal);
    switch (reply.kind) {
      case "partials":
      case "answer":
      case "lines":
        this.ready = this.expectReady();
        return reply;
      default:
        await this[Symbol.asyncDispose]();
        throw outOfStep();
    }
  }

  /** Asks, and gives the reply unless the worker failed: then it is ended. */
  private async exchange(request: WorkerRequest, signal: AbortSignal): Promise<WorkerReply> {
    const watch = new AbortController();
    try {
      if (signal.aborted) throw abortError(signal);
      let isAsked = false;
      const stop = () => isAsked ? this.stop(watch.signal) : this.kill();
      signal.addEventListener("abort", stop, { signal: watch.signal });
      await this.ready;
      if (signal.aborted) throw abortError(signal);
      isAsked = true;
      await this.send(request);
      const reply = await this.next();
      if (signal.aborted) throw abortError(signal); // its interrupt would hit the next query
      if (reply.kind === "failed") throw fromWireError(reply.error);
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
    endUnheeded(this.pid, settled, (wentOn) => {
      if (wentOn) this.fate = "killed";
      this.kill();
    });
  }

  private send(request: WorkerRequest): Promise<void> {
    return writeJsonLine(this.input, request);
  }

  private async next(): Promise<WorkerReply> {
    const { done, value } = await this.replies.next();
    if (!done) return WorkerReply.parse(value);
    const [{ signal, code }, said] = await Promise.all([this.child.status, this.stderr]);
    if (!this.wasKilled) this.fate = "died";
    throw new LogvendError(
      "internal",
      `The query's process ended (${signal ?? `exit ${code}`}); the agent goes on` +
        (said === "" ? "" : `. It said: ${said.slice(-STDERR_CHARACTERS_MAX)}`),
    );
  }

  private expectReady(): Promise<void> {
    const ready = this.next().then((reply) => {
      if (reply.kind !== "ready") throw outOfStep();
      if (reply.problem === undefined) return;
      getLogger(["agent", "query"]).warning(
        "Queries run with more rights than they should: {why}",
        {
          why: reply.problem,
        },
      );
    });
    ready.catch(() => {}); // the next query, if there is one, sees the failure
    return ready;
  }

  private kill() {
    this.wasKilled = true;
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

function outOfStep(): LogvendError {
  return new LogvendError("internal", "The worker is out of step");
}

function permissions({ dataDir, folder }: WorkerOptions, library: string | null): string[] {
  const libraries = [PROGRAM_FOLDER, ...(library === null ? [] : [library])];
  return [
    V8_FLAGS,
    `--allow-read=${pathList(PROGRAM_FOLDER, dataDir, spareFolder(dataDir), folder)}`,
    `--allow-write=${pathList(folder)}`,
    `--allow-ffi=${pathList(...libraries)}`,
  ];
}
