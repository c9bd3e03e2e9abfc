/** Where the tests' Ceph lies, once install.ts has put it there. */
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Kept between runs. */
export const CEPH_ROOT = join(
  Deno.env.get("XDG_CACHE_HOME") ?? join(homedir(), ".cache"),
  "logvend-test/ceph",
);

/** Whether it can be started. */
export function isCephThere(): boolean {
  try {
    return Deno.statSync(join(CEPH_ROOT, "usr/bin/radosgw")).isFile;
  } catch {
    return false; // nothing of the kind
  }
}

/** For tests that need it: `Deno.test({ ignore: CEPH_IS_MISSING, … })`. */
export const CEPH_IS_MISSING = !isCephThere();

/** Whether it is there, after unpacking it where that is possible. */
export async function ensureCeph(): Promise<boolean> {
  const path = fileURLToPath(new URL("./install.ts", import.meta.url));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", path],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code === 0;
}
