/** Finds the programs that a build or a test needs; installs them where that is possible. */
import { join } from "node:path";

const INSTALL_TIMEOUT_MS = 10 * 60_000;

/**
 * Says whether `isThere`, after installing the package when it is not and this is root on Debian
 * (or what descends from it).
 */
export async function ensureDebianPackage(
  name: string,
  isThere: () => Promise<boolean>,
): Promise<boolean> {
  if (await isThere()) return true;
  if (Deno.build.os !== "linux" || Deno.uid() !== 0 || !await isDebian()) return false;
  console.log(`Installing the Debian package ${name}, which is missing here`);
  // Package lists are often absent (containers) or outdated: refresh them when the first try fails.
  if (!await aptGet("install", name)) await aptGet("update") && await aptGet("install", name);
  return await isThere();
}

/** Folders beside the path: Debian has services in one that is on root's path alone. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

/** The path of an installed program, or null. */
export function findProgram(name: string): string | null {
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), ...SYSTEM_FOLDERS]) {
    const path = join(folder, name);
    try {
      if (folder !== "" && Deno.statSync(path).isFile) return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

async function isDebian(): Promise<boolean> {
  try {
    return (await Deno.stat("/etc/debian_version")).isFile;
  } catch {
    return false; // no such file: another distribution
  }
}

async function aptGet(...args: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["-qq", "--yes", "--no-install-recommends", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS),
  }).output();
  return success;
}
