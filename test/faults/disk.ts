/** File systems of a test's own: ext4 in an image file, and tmpfs with little room. Needs root. */
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { runProgram } from "../harness/program.ts";

/** Something mounted at a folder until disposed of. */
export interface Mount extends AsyncDisposable {
  folder: string;
}

/** Makes an image file with an empty ext4. */
export async function makeImage(path: string, megabytes: number): Promise<void> {
  {
    using file = await Deno.open(path, { create: true, write: true });
    await file.truncate(megabytes * 2 ** 20);
  }
  await run("mkfs.ext4", "-q", "-F", path);
}

/** Mounts an image file; what its file system has not synced is not in the file. */
export function mountImage(image: string, folder: string): Promise<Mount> {
  return mounted(folder, "-o", "loop", image, folder);
}

/** Memory as a disk, with options of tmpfs: `size=8m`, `nr_inodes=100`. */
export function mountTmpfs(folder: string, options: string): Promise<Mount> {
  return mounted(folder, "-t", "tmpfs", "-o", options, "tmpfs", folder);
}

/** Changes options of a tmpfs. */
export async function remount(folder: string, options: string): Promise<void> {
  await run("mount", "-o", `remount,${options}`, folder);
}

/** Makes a folder read-only under its writers. */
export async function makeReadOnly(folder: string): Promise<void> {
  await run("mount", "--bind", folder, folder);
  await run("mount", "-o", "remount,ro,bind", folder);
}

/** Ends that. */
export async function makeWritable(folder: string): Promise<void> {
  await eventually(() => run("umount", folder).then(() => true));
}

/** Takes all room that is left; returns the file that has it. */
export function fillUp(folder: string): string {
  const path = join(folder, "ballast");
  using file = Deno.openSync(path, { create: true, write: true });
  for (let size = 2 ** 16; size >= 1;) {
    try {
      file.writeSync(new Uint8Array(size).fill(1));
    } catch {
      size = Math.floor(size / 2); // full for that much
    }
  }
  return path;
}

async function mounted(folder: string, ...args: string[]): Promise<Mount> {
  await Deno.mkdir(folder, { recursive: true });
  await run("mount", ...args);
  // A killed agent's own children end a moment after it.
  const unmount = () => eventually(() => run("umount", folder).then(() => true));
  return { folder, [Symbol.asyncDispose]: async () => void await unmount() };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await runProgram({ command, args });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
