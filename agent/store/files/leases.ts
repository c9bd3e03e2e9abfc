/** Keeps files that running queries read, and deletes them after their last reader. */
import { removeIfThere } from "../../../protocol/durable_file.ts";

export class Leases {
  private readonly readers = new Map<string, number>();
  private readonly doomed = new Set<string>();

  /** Holds files until the returned release is called. */
  take(paths: readonly string[]): () => Promise<void> {
    for (const path of paths) this.readers.set(path, (this.readers.get(path) ?? 0) + 1);
    let held = true;
    return async () => {
      if (!held) return;
      held = false;
      for (const path of paths) await this.leave(path);
    };
  }

  /** Deletes a file now, or when its last reader leaves. */
  async remove(path: string): Promise<void> {
    if (this.readers.has(path)) this.doomed.add(path);
    else await removeIfThere(path);
  }

  private async leave(path: string) {
    const readers = (this.readers.get(path) ?? 1) - 1;
    if (readers > 0) {
      this.readers.set(path, readers);
      return;
    }
    this.readers.delete(path);
    if (this.doomed.delete(path)) await removeIfThere(path);
  }
}
