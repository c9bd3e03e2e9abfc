/** Files that survive a power cut: written under a temporary name, synced, renamed, folder synced. */
import { basename, dirname, join } from "node:path";

const TEMPORARY_PREFIX = ".writing-";

/**
 * A name beside the final one, so that the rename stays within one file system. It is never used
 * twice: a process that outlived its parent may still be writing under an older one.
 */
function temporaryPath(folder: string): string {
  return join(folder, `${TEMPORARY_PREFIX}${crypto.randomUUID()}.parquet`);
}

/** Whether a file is one that is being written, or was when its writer ended. */
export function isTemporary(path: string): boolean {
  return basename(path).startsWith(TEMPORARY_PREFIX);
}

/**
 * Lets `write` fill a temporary file, syncs it and gives it its final name. When this resolves the
 * file is durable; when it throws there is none.
 */
export async function writeDurably(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  await writeNamed(dirname(path), async (temporary) => {
    await write(temporary);
    return { name: basename(path) };
  });
}

/** The same for a file of which only what is written says what it is called. */
export async function writeNamed<T extends { name: string }>(
  folder: string,
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = temporaryPath(folder);
  await Deno.mkdir(folder, { recursive: true });
  try {
    const written = await write(temporary);
    await sync(temporary);
    await Deno.rename(temporary, join(folder, written.name));
    await sync(folder);
    return written;
  } catch (error) {
    await removeIfThere(temporary);
    throw error;
  }
}

/** Syncs a file or folder to the disk. */
export async function sync(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}

/** Deletes a file; one that is not there is fine. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
