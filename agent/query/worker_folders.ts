/** What workers may touch on the disk, and how another user gets at it: few paths, and no others. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";

/**
 * The user and group of workers where the agent runs as root: a number that no user has and that
 * systemd gives to none either.
 */
export const WORKER_USER = 60_911;

/** What others need of new files and folders: to read and to pass. */
const OTHERS = 0o005;

/**
 * Who workers over this data folder become where this process is root: its owner, or where that is
 * root too, nobody else on this system. Null: they stay what this process is.
 */
export function workerUser(dataDir: string): number | null {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return null;
  const umask = Deno.umask();
  if ((umask & OTHERS) !== 0) {
    getLogger(["agent", "query"]).warning(
      "Queries run as root: with umask {umask} another user could not read the store. Use umask 022, " +
        "and keep people out by the mode of data_dir (0700)",
      { umask: umask.toString(8).padStart(3, "0") },
    );
    return null;
  }
  const { uid } = Deno.statSync(dataDir);
  return uid === null || uid === 0 ? WORKER_USER : uid;
}

/** Lets the workers' group pass through a folder, and nobody else who could not before. */
export function letPass(folder: string, user: number | null): void {
  if (user === null) return;
  const { mode, uid } = lstatSync(folder);
  if ((mode & 0o001) !== 0 || uid === user) return; // it may already
  Deno.chownSync(folder, null, user);
  Deno.chmodSync(folder, (mode & 0o777) | 0o010);
}

/** Makes a folder that is the workers' own, and returns its path. */
export function makeOwnFolder(
  { parent, prefix, user }: { parent: string; prefix: string; user: number | null },
): string {
  const folder = Deno.makeTempDirSync({ dir: parent, prefix });
  if (user !== null) Deno.chownSync(folder, user, user);
  return folder;
}

/**
 * A path as workers name it: they stand in the data folder, as another user might not get there by
 * its full name.
 */
export function pathForWorker(path: string, dataDir: string): string {
  const start = join(dataDir, "/");
  return path.startsWith(start) ? path.slice(start.length) : path;
}
