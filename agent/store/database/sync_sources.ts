/**
 * Syncs log files before their offsets are committed. Writers mostly never sync: a power cut would
 * leave a log shorter than what was read of it, which looks like a file that was emptied and
 * written anew, and all that is left of it would be read a second time.
 */
import type { Generation } from "../batch.ts";

/** One sync of ext4 makes many files durable when they wait for it together. */
const SYNCS_AT_ONCE = 16;

/** Makes what was read of these generations durable. A file that cannot be synced is left out. */
export async function syncSources(generations: Iterable<Generation>): Promise<void> {
  const waiting = [...generations];
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await syncSource(next);
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, work));
}

async function syncSource({ path, device, inode }: Generation) {
  try {
    const info = await Deno.stat(path);
    if (info.dev !== device || info.ino !== inode) return; // opening a pipe there might never end
    using file = await Deno.open(path);
    await file.syncData();
  } catch {
    // Deleted, renamed since, or of a file system that has no sync: only a power cut would tell.
  }
}
