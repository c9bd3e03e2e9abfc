/** The query workers of one host: one kept warm, few running, a bounded queue behind them. */
import { dirname, join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { BUSY_RULE } from "../../protocol/wire/messages.ts";
import { spareFolder } from "../store/files/spare_folder.ts";
import { letPass, makeOwnFolder, pathForWorker, workerUser } from "./worker_folders.ts";
import { abortError, WorkerProcess } from "./worker_process.ts";
import type { WorkerOptions } from "./worker_process.ts";

/** More would take the cores and 512 MiB each from the services that the host is there for. */
const RUNNING_MAX = 2;
/** While a query takes longer than this, another worker is warmed up for those that come then. */
const WARM_AFTER_MS = 1_000;
/** More askers than this are told so at once instead of running into their timeouts. */
const WAITING_MAX = 16;

/** By default workers become another user where this one is root. */
export interface PoolOptions extends Omit<WorkerOptions, "user"> {
  user?: number | null;
  /** Queries at a time. @default 2 */
  runningMax?: number;
  /** Those that wait for their turn. @default 16 */
  waitingMax?: number;
}

export class WorkerPool implements AsyncDisposable {
  private idle: WorkerProcess | null = null;
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly busy = new Set<WorkerProcess>();
  private closed = false;

  private readonly runningMax: number;
  private readonly waitingMax: number;

  private constructor(private readonly options: PoolOptions & WorkerOptions) {
    this.runningMax = options.runningMax ?? RUNNING_MAX;
    this.waitingMax = options.waitingMax ?? WAITING_MAX;
  }

  /** Empties the folder, which is the pool's alone, and warms the first worker up. */
  static async open(given: PoolOptions): Promise<WorkerPool> {
    const { folder, dataDir, user = workerUser(dataDir) } = given;
    const options = { ...given, user };
    await Deno.remove(folder, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.mkdir(folder, { recursive: true });
    for (const passed of [dataDir, dirname(folder), folder]) letPass(passed, user);
    const pool = new WorkerPool(options);
    pool.idle = new WorkerProcess(options);
    return pool;
  }

  /** A new folder that workers write to, which its owner removes. */
  makeFolder(prefix: string): string {
    const { folder, user } = this.options;
    return makeOwnFolder({ parent: folder, prefix, user }); // 0.1 ms
  }

  /** A path as workers name it, to a file that they may read. */
  pathFor(path: string): string {
    const { dataDir, user } = this.options;
    const spare = spareFolder(dataDir);
    if (path.startsWith(join(spare, "/"))) letPass(spare, user); // there while the disk is full
    return pathForWorker(path, dataDir);
  }

  /**
   * Runs `work` with a worker of its own, after those that asked before.
   * @throws {LogvendError} unavailable, when too many wait; `timeout` or `cancelled` while waiting
   */
  async use<T>(signal: AbortSignal, work: (worker: WorkerProcess) => Promise<T>): Promise<T> {
    await this.enter(signal);
    try {
      return await this.useNow(signal, work);
    } finally {
      this.leave();
    }
  }

  /** The same before all who wait, for work that comes on the clock, one piece at a time. */
  async useNow<T>(
    signal: AbortSignal,
    work: (worker: WorkerProcess) => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw abortError(signal);
    if (this.closed) throw new LogvendError("unavailable", "The agent is stopping");
    const worker = await this.take();
    this.busy.add(worker);
    const timer = setTimeout(() => this.warmUp(), WARM_AFTER_MS);
    return await work(worker).finally(() => {
      clearTimeout(timer);
      return this.putBack(worker);
    });
  }

  private async enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (this.running < this.runningMax) {
      this.running++;
      return;
    }
    if (this.waiting.length >= this.waitingMax) {
      throw new LogvendError(
        "unavailable",
        `Busy: ${this.runningMax} queries run and ${this.waiting.length} wait on this host; try again`,
        { details: { rule: BUSY_RULE } },
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      this.waiting.splice(this.waiting.indexOf(resolve), 1);
      reject(abortError(signal));
    };
    signal.addEventListener("abort", onAbort);
    this.waiting.push(resolve);
    await promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  /** Hands the place to the longest waiting. */
  private leave() {
    const next = this.waiting.shift();
    if (next === undefined) this.running--;
    else next();
  }

  private async take(): Promise<WorkerProcess> {
    const { idle } = this;
    this.idle = null;
    if (idle?.alive) return idle;
    await idle?.[Symbol.asyncDispose](); // something outside ended it
    return new WorkerProcess(this.options);
  }

  private warmUp() {
    if (this.closed || this.running >= this.runningMax) return;
    this.idle ??= new WorkerProcess(this.options);
  }

  private async putBack(worker: WorkerProcess) {
    this.busy.delete(worker);
    const { idle } = this;
    if (this.closed || (!worker.alive && idle !== null)) return await worker[Symbol.asyncDispose]();
    this.idle = worker.alive ? worker : new WorkerProcess(this.options);
    await idle?.[Symbol.asyncDispose](); // one that has worked is kept
  }

  /** Kills every worker: what runs fails, what waits is told so. */
  async [Symbol.asyncDispose]() {
    this.closed = true;
    const workers = [...this.busy, ...(this.idle === null ? [] : [this.idle])];
    this.idle = null;
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  }
}
