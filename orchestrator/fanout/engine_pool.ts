/** Keeps one DuckDB open ahead: opening one costs 12-19 ms, and no query should wait for that. */
import { join } from "node:path";
import { Engine } from "../../queries/duckdb/engine.ts";

export interface EnginePoolOptions {
  /** Merges larger than memory spill into folders below it. */
  scratchFolder: string;
  /** Of one merge. @default 512 MiB */
  memoryBytes?: number;
}

export class EnginePool implements AsyncDisposable {
  private opened = 0;
  private next: Promise<Engine>;

  constructor(private readonly options: EnginePoolOptions) {
    this.next = this.open();
  }

  /** A fresh engine, the caller's to dispose; another is opened behind its back. */
  async take(): Promise<Engine> {
    const engine = this.next;
    // After the caller's turn: opening must not compete with the query that took this one.
    this.next = engine.then(() => new Promise<void>((resolve) => setTimeout(resolve, 0)))
      .then(() => this.open());
    this.next.catch(() => {}); // thrown to whoever takes it
    return await engine;
  }

  private open(): Promise<Engine> {
    return Engine.open({
      threads: 2,
      memoryBytes: this.options.memoryBytes ?? 512 * 2 ** 20,
      // Instances must not share a spill folder: they delete each other's files.
      spillFolder: join(this.options.scratchFolder, `spill-${this.opened++}`),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.next)[Symbol.asyncDispose]();
  }
}
