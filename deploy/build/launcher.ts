/** The other kind of executable: a launcher in C that carries Deno, the bundle and the libraries. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./command.ts";
import { ensureDebianPackage, findProgram } from "./debian_package.ts";
import { v8Flag } from "./programs.ts";
import type { BuiltProgram } from "./programs.ts";
import { sha256Hex } from "../../protocol/sha256.ts";

const SOURCE = fileURLToPath(new URL("./launcher.c", import.meta.url));

/** As launcher.c has them. */
const MAGIC = "LOGVEND-PAYLOAD";
const TRAILER_BYTES = 64;
const ID_LENGTH = 32;

/** Level 19 makes 10 % less in ten times the time. */
const ZSTD_LEVEL = 12;

/**
 * Packs a staged folder, with Deno and the arguments of every program. One payload serves all of
 * them, so that they share one unpacked copy. Returns its path.
 */
export async function makePayload(
  { folder, programs }: { folder: string; programs: readonly BuiltProgram[] },
): Promise<string> {
  const missing = await missingLauncherTools();
  if (missing.length > 0) {
    throw new Error(`The launcher needs ${missing.join(", ")} (Debian's names): install and retry`);
  }
  await Deno.copyFile(Deno.execPath(), join(folder, "deno"));
  await Deno.chmod(join(folder, "deno"), 0o755);
  for (const program of programs) {
    await Deno.writeTextFile(join(folder, `${program.name}.args`), launchArguments(program));
  }
  const payload = join(dirname(folder), "payload.tar.zst");
  await pack(folder, payload);
  return payload;
}

/** Packs a folder's entries; the same files give the same bytes. */
export async function pack(folder: string, payload: string) {
  const sameEverywhere = ["--sort=name", "--owner=0", "--group=0", "--mtime=@0"];
  const compressor = `--use-compress-program=zstd -${ZSTD_LEVEL} --threads=0 --quiet`;
  const settings = ["--format=ustar", ...sameEverywhere, compressor];
  const entries = (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).toSorted();
  const target = ["--create", `--file=${payload}`, `--directory=${folder}`];
  await run("tar", [...settings, ...target, ...entries]);
}

/** Debian packages that are missing here and could not be installed. */
export async function missingLauncherTools(): Promise<string[]> {
  const hasProgram = (name: string) => () => Promise.resolve(findProgram(name) !== null);
  const tools = [
    { name: "gcc", isThere: hasProgram("gcc") },
    { name: "zstd", isThere: hasProgram("zstd") },
    { name: "libzstd-dev", isThere: canLinkZstd },
  ];
  const missing: string[] = [];
  for (const { name, isThere } of tools) {
    if (!await ensureDebianPackage(name, isThere)) missing.push(name);
  }
  return missing;
}

/** Makes `output`, an executable: launcher, payload, trailer. `name` is the program's. */
export async function makeLauncher(
  { payload, name, output }: { payload: string; name: string; output: string },
) {
  const flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"];
  await run("gcc", [...flags, `-DPROGRAM="${name}"`, SOURCE, "-lzstd", "-o", output]);
  const offset = (await Deno.stat(output)).size;
  const bytes = await Deno.readFile(payload);
  const trailer = trailerOf(bytes, offset);
  using file = await Deno.open(output, { append: true });
  await new Blob([bytes, trailer]).stream().pipeTo(file.writable);
}

function trailerOf(payload: Uint8Array<ArrayBuffer>, offset: number) {
  const trailer = new Uint8Array(TRAILER_BYTES);
  const numbers = new DataView(trailer.buffer);
  const encoder = new TextEncoder();
  trailer.set(encoder.encode(MAGIC), 0);
  numbers.setBigUint64(16, BigInt(offset), true);
  numbers.setBigUint64(24, BigInt(payload.length), true);
  trailer.set(encoder.encode(sha256Hex(payload).slice(0, ID_LENGTH)), 32);
  return trailer;
}

/** One a line; the user's own arguments follow. */
function launchArguments(program: BuiltProgram): string {
  const settings = ["--no-prompt", "--cached-only", ...v8Flag(program), ...program.permissions];
  return `${["run", ...settings, `{root}/app/${program.name}.js`].join("\n")}\n`;
}

/** Header and static library may lie anywhere: the compiler knows. */
async function canLinkZstd(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "logvend-build-" });
  try {
    const source = join(folder, "probe.c");
    await Deno.writeTextFile(
      source,
      "#include <zstd.h>\nint main(void) { return (int)ZSTD_versionNumber() == 0; }\n",
    );
    await run("gcc", ["-static", source, "-lzstd", "-o", join(folder, "probe")]);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
