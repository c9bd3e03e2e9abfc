/** Copies of the newest rows for queries: one file per stream, made anew only when rows came. */
import { join } from "node:path";
import { removeIfThere } from "./durable_file.ts";
import type { Leases } from "./leases.ts";
import type { MemoryRows } from "./memory_rows.ts";

/** A copy of the rows that wait in memory. */
export interface OpenFile {
  path: string;
  bytes: number;
}

export class OpenFiles implements AsyncDisposable {
  private readonly copies = new Map<string, OpenFile & { version: number }>();
  private readonly folder: string;
  private count = 0;

  constructor(
    dataDir: string,
    private readonly memory: MemoryRows,
    private readonly leases: Leases,
  ) {
    this.folder = join(dataDir, "open");
  }

  /** A file with the rows that wait in memory now; null when there are none. Not synced. */
  async copyOf(stream: string): Promise<OpenFile | null> {
    const last = this.copies.get(stream);
    const waiting = this.memory.rowCount(stream) > 0;
    if (last !== undefined && last.version === this.memory.version && waiting) return last;
    if (last !== undefined) {
      this.copies.delete(stream);
      await this.leases.remove(last.path);
    }
    if (!waiting) return null;
    await Deno.mkdir(this.folder, { recursive: true });
    const path = join(this.folder, `now.${stream}.${this.count++}.parquet`);
    await this.memory.copyAll(stream, path);
    const copy = { path, bytes: (await Deno.stat(path)).size, version: this.memory.version };
    this.copies.set(stream, copy);
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const copy of this.copies.values()) await removeIfThere(copy.path);
  }
}
