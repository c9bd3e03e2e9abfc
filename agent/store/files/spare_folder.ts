/**
 * A folder in memory for copies of the newest rows: queries go on while the data folder's disk is
 * full. Small (the rows that wait in memory), used only then, for this user and its query workers.
 */
import { join, resolve } from "node:path";
import { sha256Hex } from "../../../protocol/sha256.ts";

/** Every Linux has it; elsewhere there is no spare folder. */
const IN_MEMORY = "/dev/shm";

/** Where the spare folder of a data folder is, if there is one. */
export function spareFolder(dataDir: string): string {
  const id = sha256Hex(resolve(dataDir)).slice(0, 16);
  return join(IN_MEMORY, `logvend-${id}`);
}

/** Makes it. @throws when it cannot be made, or is somebody else's */
export async function makeSpareFolder(dataDir: string): Promise<string> {
  const folder = spareFolder(dataDir);
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const { isDirectory, uid, mode } = await Deno.lstat(folder);
    const isOurs = isDirectory && uid === Deno.uid() && ((mode ?? 0) & 0o027) === 0;
    if (!isOurs) throw new Error(`${folder} is somebody else's`, { cause: error });
  }
  return folder;
}

/** Deletes it with all that is in it: also what a kill has left. */
export async function removeSpareFolder(dataDir: string): Promise<void> {
  try {
    await Deno.remove(spareFolder(dataDir), { recursive: true });
  } catch (error) {
    const isNone = error instanceof Deno.errors.NotFound;
    if (!isNone && !(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}
