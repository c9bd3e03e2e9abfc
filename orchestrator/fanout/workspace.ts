/** Where one answer is made: a DuckDB closed to the file system, but for one folder of its own. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";

/** Of one merge; larger ones spill into the folder. */
const MEMORY_BYTES = 512 * 2 ** 20;
const THREADS = 2;

export class Workspace implements AsyncDisposable {
  private hasFolder = false;

  private constructor(
    readonly engine: Engine,
    private readonly path: string,
  ) {}

  /**
   * @param path of the folder: of this workspace alone, not there yet
   * @param memoryBytes of its DuckDB
   */
  static async open(path: string, memoryBytes = MEMORY_BYTES): Promise<Workspace> {
    const spillFolder = `${path}.spill`; // DuckDB makes it, but no folder above it
    const engine = await Engine.open({ threads: THREADS, memoryBytes, spillFolder });
    await engine.run(`SET allowed_directories = [${literal(`${path}/`)}]`);
    await engine.lockDown([]);
    return new Workspace(engine, path);
  }

  /** The folder, made at first use. */
  folder(): string {
    if (!this.hasFolder) Deno.mkdirSync(this.path, { recursive: true, mode: 0o700 });
    this.hasFolder = true;
    return this.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    try {
      await Deno.remove(this.path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it was never made
    }
  }
}

/** Closing takes 3 ms of the event loop: the answer's last bytes go first. */
const CLOSE_DELAY_MS = 15;

/**
 * Keeps one workspace open ahead: opening one costs 12-19 ms, and no query should wait for that.
 * The next is opened when a query has ended, so that it takes no time from it.
 */
export class WorkspacePool implements AsyncDisposable {
  private opened = 0;
  private next: Promise<Workspace> | null = null;
  private isEnding = false;
  /** Taken, and not closed yet. */
  private taken = 0;
  private readonly allClosed = Promise.withResolvers<void>();

  /** @param path of the folder that workspaces have theirs in */
  constructor(private readonly path: string) {
    this.refill();
  }

  /** A fresh one, for one query; it must be given back. */
  async take(): Promise<Workspace> {
    const workspace = this.next ?? this.open();
    this.next = null;
    this.taken++;
    try {
      return await workspace;
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Closes a workspace in the background, and opens the next query's. */
  giveBack(workspace: Workspace): void {
    new Promise((resolve) => setTimeout(resolve, CLOSE_DELAY_MS))
      .then(() => workspace[Symbol.asyncDispose]())
      .catch((error) => {
        getLogger(["orchestrator", "fanout"]).warning("Cannot tidy up after a query: {error}", {
          error: messageOf(error),
        });
      })
      .finally(() => {
        this.leave();
        this.refill();
      });
  }

  private leave() {
    this.taken--;
    if (this.isEnding && this.taken === 0) this.allClosed.resolve();
  }

  private refill() {
    if (this.isEnding || this.next !== null) return;
    this.next = this.open();
    this.next.catch(() => {}); // thrown to whoever takes it
  }

  private open(): Promise<Workspace> {
    return Workspace.open(join(this.path, String(this.opened++)));
  }

  /** Waits for those that are taken: an answer's end is sent before its workspace is given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isEnding = true;
    if (this.taken > 0) await this.allClosed.promise;
    await (await this.next)?.[Symbol.asyncDispose]();
  }
}
