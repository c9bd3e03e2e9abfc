/** Files that match and are not read, until they change. */
import { fileKey } from "./identity.ts";
import type { FileInfo } from "./identity.ts";

interface Ignored {
  size: number;
  mtimeMs: number;
  /** Id of the generation that it is a copy of; null: it is too old. */
  copyOf: string | null;
}

export class IgnoredFiles {
  /** By device and inode. */
  private readonly files = new Map<string, Ignored>();

  add(file: FileInfo, copyOf: string | null) {
    const { size, mtimeMs } = file;
    this.files.set(fileKey(file), { size, mtimeMs, copyOf });
  }

  delete(file: FileInfo) {
    this.files.delete(fileKey(file));
  }

  /** The generation that it was a copy of when it was ignored; null: of none. */
  copyOf(file: FileInfo): string | null {
    return this.files.get(fileKey(file))?.copyOf ?? null;
  }

  /** Whether nothing has changed for it: neither itself nor what it is a copy of. */
  isStill(file: FileInfo, isFollowed: (generation: string) => boolean): boolean {
    const ignored = this.files.get(fileKey(file));
    if (ignored?.size !== file.size || ignored.mtimeMs !== file.mtimeMs) return false;
    return ignored.copyOf === null || isFollowed(ignored.copyOf);
  }
}
