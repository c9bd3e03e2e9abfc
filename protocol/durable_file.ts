/** Files that survive a power cut: written under a temporary name, synced, renamed, folder synced. */
import { basename, dirname, join } from "node:path";

const TEMPORARY_PREFIX = ".writing-";

/**
 * A name beside the final one, so that the rename stays within one file system. It is never used
 * twice: a process that outlived its parent may still be writing under an older one.
 */
function temporaryPath(path: string): string {
  const unique = crypto.randomUUID().slice(0, 8);
  return join(dirname(path), `${TEMPORARY_PREFIX}${unique}-${basename(path)}`);
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
  const temporary = temporaryPath(path);
  await Deno.mkdir(dirname(path), { recursive: true });
  try {
    await write(temporary);
    await sync(temporary);
    await Deno.rename(temporary, path);
    await sync(dirname(path));
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
