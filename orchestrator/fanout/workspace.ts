/** Where one answer is made: a DuckDB closed to the file system, but for one folder of its own. */
import { join } from "node:path";
import { literal } from "../../protocol/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";

/** Opening waits for this long after a take: it must not compete with the query that took. */
const REFILL_DELAY_MS = 50;

/** Of one merge; larger ones spill into the folder. */
const MEMORY_BYTES = 512 * 2 ** 20;
const THREADS = 2;

export class Workspace implements AsyncDisposable {
  private hasFolder = false;

  private constructor(readonly engine: Engine, private readonly path: string) {}

  /** @param path of the folder: of this workspace alone, not there yet */
  static async open(path: string): Promise<Workspace> {
    const engine = await Engine.open({
      threads: THREADS,
      memoryBytes: MEMORY_BYTES,
      spillFolder: join(path, "spill"),
    });
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

/** Keeps one workspace open ahead: opening one costs 12-19 ms, and no query should wait for that. */
export class WorkspacePool implements AsyncDisposable {
  private opened = 0;
  private next: Promise<Workspace> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param path of the folder that workspaces have theirs in */
  constructor(private readonly path: string) {
    this.refill();
  }

  /** A fresh one, the caller's to dispose; another is opened behind its back. */
  async take(): Promise<Workspace> {
    const workspace = this.next ?? this.open();
    this.next = null;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refill(), REFILL_DELAY_MS);
    return await workspace;
  }

  private refill() {
    this.next = this.open();
    this.next.catch(() => {}); // thrown to whoever takes it
  }

  private open(): Promise<Workspace> {
    return Workspace.open(join(this.path, String(this.opened++)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.timer);
    await (await this.next)?.[Symbol.asyncDispose]();
  }
}
