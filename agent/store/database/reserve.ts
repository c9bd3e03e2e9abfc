/** Room that agent.db keeps for itself: what frees a full disk has to be committed first. */
import { join } from "node:path";

/** Enough to commit the removal of some hundred chunks, and for the files of a start. */
const RESERVE_BYTES = 2 ** 20;

/** Taken at once: of a disk that is nearly full it gets what there is. */
const BLOCK_BYTES = 2 ** 16;

/** What SQLite says where there is no room; its numbers do not come with every error. */
const FULL = /disk is full|disk I\/O error/;

/** A file in the data folder that takes up room, and gives it to commits that find none. */
export class Reserve {
  private readonly path: string;

  constructor(dataDir: string) {
    this.path = join(dataDir, "reserve");
  }

  /** Takes what is left of its size, or what the disk has. */
  fill() {
    using file = Deno.openSync(this.path, { create: true, append: true });
    const block = new Uint8Array(BLOCK_BYTES);
    for (let { size } = file.statSync(); size < RESERVE_BYTES;) {
      crypto.getRandomValues(block); // zeros need no room on some file systems
      try {
        size += file.writeSync(block);
      } catch (error) {
        if (isFull(error)) return;
        throw error;
      }
    }
  }

  /** Gives its room away until it is filled again. */
  release() {
    try {
      Deno.removeSync(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Runs `work`; once more, with the reserve's room, when the disk is too full for it. */
  spend<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    this.release();
    try {
      return work();
    } finally {
      this.fill();
    }
  }
}

function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : null;
  return code === "ENOSPC" || code === "EDQUOT" || FULL.test(error.message);
}
