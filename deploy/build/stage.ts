/** Stages what every kind of executable holds: the bundled programs beside DuckDB's libraries. */
import { basename, join } from "node:path";
import { run } from "./command.ts";
import type { BuiltProgram } from "./programs.ts";

/** The package with DuckDB's native libraries for the machine that builds. */
const BINDINGS = `@duckdb/node-bindings-${Deno.build.os}-${
  Deno.build.arch === "aarch64" ? "arm64" : "x64"
}`;

/** A bundle keeps these out: they hold machine code. */
const NATIVE = "@duckdb/node-bindings-*";

const NATIVE_FILES = ["duckdb.node", "libduckdb.so", "libduckdb.dylib", "package.json"];

/** Without these, Deno and Node's resolution look for settings in the folders above. */
const SETTINGS = {
  "deno.json": { nodeModulesDir: "manual", lock: false },
  "package.json": { type: "module" },
};

/** Fills `<folder>/app`: one .js file a program, and `node_modules` with the native libraries. */
export async function stage(
  { root, folder, programs }: { root: string; folder: string; programs: readonly BuiltProgram[] },
): Promise<string> {
  const app = join(folder, "app");
  await Deno.remove(folder, { recursive: true }).catch(() => undefined); // none from before
  await Deno.mkdir(app, { recursive: true });
  for (const program of programs) await bundle(root, program, app);
  await inlineWasm(root, app);
  await copyNativeLibraries(root, join(app, "node_modules", BINDINGS));
  for (const [name, settings] of Object.entries(SETTINGS)) {
    await Deno.writeTextFile(join(app, name), `${JSON.stringify(settings)}\n`);
  }
  return app;
}

/**
 * Code splitting keeps what commands import on demand out of the start of all others. Never
 * minify: Deno 2.9.5 then drops `using` where a value is used once, and files stay open for ever.
 */
async function bundle(root: string, program: BuiltProgram, app: string) {
  const settings = ["--platform=deno", "--code-splitting", `--external=${NATIVE}`];
  const entry = join(root, program.entry);
  await run(Deno.execPath(), ["bundle", ...settings, `--outdir=${app}`, entry], { cwd: root });
  // Deno names the bundle as the entry is named; the other files have hashes for names.
  await Deno.rename(
    join(app, `${basename(program.entry, ".ts")}.js`),
    join(app, `${program.name}.js`),
  );
}

/** Of the Kafka client: checksums and compression. It reads its file from beside itself. */
const WASM_PACKAGE = "@platformatic/wasm-utils";
const WASM_READ = /\w+\(new URL\("\.\.\/dist\/native\.wasm", import\.meta\.url\)\)/g;

/** A bundle has no files beside it: what is read of one becomes part of the text. */
async function inlineWasm(root: string, app: string) {
  const file = join(await findPackage(root, WASM_PACKAGE), "dist", "native.wasm");
  const bytes = `Uint8Array.fromBase64("${(await Deno.readFile(file)).toBase64()}")`;
  for await (const { name } of Deno.readDir(app)) {
    const path = join(app, name);
    if (!name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(path);
    if (!text.includes("native.wasm")) continue;
    const inlined = text.replaceAll(WASM_READ, bytes);
    if (inlined.includes("native.wasm")) {
      throw new Error(`${WASM_PACKAGE} reads its file otherwise`);
    }
    await Deno.writeTextFile(path, inlined);
  }
}

async function copyNativeLibraries(root: string, target: string) {
  const source = await findPackage(root, BINDINGS);
  await Deno.mkdir(target, { recursive: true });
  for await (const { name } of Deno.readDir(source)) {
    if (NATIVE_FILES.includes(name)) await Deno.copyFile(join(source, name), join(target, name));
  }
}

/** Deno keeps each version of a package in its own folder, `@duckdb+node-bindings-linux-x64@1.5.5`. */
async function findPackage(root: string, wanted: string): Promise<string> {
  const store = join(root, "node_modules", ".deno");
  for await (const { name } of Deno.readDir(store)) {
    if (name.startsWith(`${wanted.replace("/", "+")}@`)) {
      return join(store, name, "node_modules", wanted);
    }
  }
  throw new Error(`${wanted} is not in ${store}: is it made for this machine?`);
}
