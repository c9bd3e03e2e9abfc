/** Copies of the newest rows for queries: one file per stream, made anew only when rows came. */
import { dirname, join } from "node:path";
import { removeIfThere } from "../../../protocol/durable_file.ts";
import type { Leases } from "../files/leases.ts";
import type { MemoryRows } from "./memory_rows.ts";
import { makeSpareFolder, removeSpareFolder } from "../files/spare_folder.ts";

/** A copy of the rows that wait in memory. */
export interface OpenFile {
  path: string;
  bytes: number;
}

export class OpenFiles implements AsyncDisposable {
  private readonly copies = new Map<string, OpenFile & { version: number }>();
  private count = 0;

  constructor(
    private readonly dataDir: string,
    private readonly memory: MemoryRows,
    private readonly leases: Leases,
  ) {}

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
    const path = await this.copyNow(stream);
    const copy = { path, bytes: (await Deno.stat(path)).size, version: this.memory.version };
    this.copies.set(stream, copy);
    return copy;
  }

  /** Removes the copies that are there, each after its last reader. */
  async clear(): Promise<void> {
    for (const { path } of this.copies.values()) await this.leases.remove(path);
    this.copies.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const copy of this.copies.values()) await removeIfThere(copy.path);
    await removeSpareFolder(this.dataDir);
  }

  /** Beside the other files; in memory while their disk takes no more. */
  private async copyNow(stream: string): Promise<string> {
    const name = `now.${stream}.${this.count++}.parquet`;
    const path = join(this.dataDir, "open", name);
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
      await this.memory.copyAll(stream, path);
      return path;
    } catch (error) {
      await removeIfThere(path);
      const spare = await makeSpareFolder(this.dataDir).catch(() => null);
      if (spare === null) throw error;
      await this.memory.copyAll(stream, join(spare, name));
      return join(spare, name);
    }
  }
}
