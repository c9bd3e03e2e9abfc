/**
 * Puts Ceph (monitor, object storage daemon, S3 gateway) beside the system, out of Debian's packages,
 * for tests: nothing is installed, no root is needed. `deno run -A test/harness/ceph/install.ts`;
 * exit code 1: it cannot be had here.
 */
import { join } from "node:path";
import { CEPH_ROOT, isCephThere } from "./root.ts";

/** The newest first: later versions keep checksums and conditions as S3 does. */
const SUITES = ["forky", "trixie"];

const PACKAGES = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"];

const INSTALL_TIMEOUT_MS = 10 * 60_000;

if (import.meta.main) Deno.exit(await install() ? 0 : 1);

async function install(): Promise<boolean> {
  if (isCephThere()) return true;
  const mirror = Deno.build.arch === "x86_64" ? await debianMirror() : null;
  if (mirror === null) return false;
  console.log(`Unpacking Ceph into ${CEPH_ROOT}: 150 MB to fetch, once`);
  for (const suite of SUITES) {
    if (await unpack(mirror, suite)) return true;
  }
  return false;
}

/** Into a folder of its own that then gets its name: an end in the middle leaves nothing behind. */
async function unpack(mirror: string, suite: string): Promise<boolean> {
  await Deno.mkdir(join(CEPH_ROOT, ".."), { recursive: true });
  const folder = await Deno.makeTempDir({ dir: join(CEPH_ROOT, ".."), prefix: "unpacking-" });
  try {
    const env = { APT_CONFIG: await aptConfig(folder, mirror, suite) };
    if (!await run("apt-get", ["update", "-qq"], env)) return false;
    const fetch = ["install", "-y", "-qq", "--download-only", ...PACKAGES];
    if (!await run("apt-get", fetch, env)) return false;
    const archives = join(folder, ".apt/cache/archives");
    for await (const { name } of Deno.readDir(archives)) {
      const isPackage = name.endsWith(".deb");
      if (isPackage && !await run("dpkg", ["-x", join(archives, name), folder])) return false;
    }
    await Deno.remove(join(folder, ".apt"), { recursive: true });
    await Deno.rename(folder, CEPH_ROOT);
    return true;
  } catch (error) {
    if (isCephThere()) return true; // another one was quicker
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {}); // it has its name by now
  }
}

/** Of an apt that thinks that nothing is installed, and keeps all it has in the folder. */
async function aptConfig(folder: string, mirror: string, suite: string): Promise<string> {
  const own = join(folder, ".apt");
  await Deno.mkdir(join(own, "state/lists/partial"), { recursive: true });
  await Deno.mkdir(join(own, "cache/archives/partial"), { recursive: true });
  await Deno.writeTextFile(join(own, "status"), "");
  const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  await Deno.writeTextFile(join(own, "list"), `deb ${signed} ${mirror} ${suite} main\n`);
  const config = [
    `Dir::State "${own}/state";`,
    `Dir::State::status "${own}/status";`,
    `Dir::Cache "${own}/cache";`,
    `Dir::Etc::sourcelist "${own}/list";`,
    'Dir::Etc::sourceparts "-";',
    'Acquire::Languages "none";',
    'APT::Install-Recommends "false";',
    'APT::Sandbox::User "";',
    'Debug::NoLocking "true";',
    "",
  ].join("\n");
  await Deno.writeTextFile(join(own, "conf"), config);
  return join(own, "conf");
}

/** Where this system's own packages come from; null: it is no Debian. */
async function debianMirror(): Promise<string | null> {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list"];
  try {
    for await (const { name } of Deno.readDir(folder)) files.push(join(folder, name));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const file of files) {
    const text = await Deno.readTextFile(file).catch(() => ""); // none of that name
    const mirror = /^[^#\n]*?\b(\w+:\/\/\S+\/debian\/?)(?=\s|$)/m.exec(text)?.[1];
    if (mirror !== undefined) return mirror;
  }
  return null;
}

async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<boolean> {
  const { success } = await new Deno.Command(command, {
    args: [...args],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS),
  }).output();
  return success;
}
