/** The source files of this repository and what they import, for the tests of style. */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const NO_SOURCES: ReadonlySet<string> = new Set(["node_modules", "build", "data"]);

export interface SourceFile {
  /** From the repository's root, `protocol/units.ts`. */
  path: string;
  text: string;
  /** Files of the repository that it imports, by path. */
  imports: string[];
  /** Those of them that are loaded before it is: not for their types, not later. */
  loads: string[];
  /** Files of the repository that it names by URL: programs and workers that it starts, data. */
  names: string[];
  /** Packages that it imports, as written. */
  packages: string[];
}

/** Every TypeScript file, by path. */
export async function readSources(): Promise<Map<string, SourceFile>> {
  const sources = new Map<string, SourceFile>();
  for await (const path of sourcePaths(ROOT)) {
    const text = await Deno.readTextFile(join(ROOT, path));
    sources.set(path, { path, text, ...importsOf(path, text) });
  }
  return sources;
}

async function* sourcePaths(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.startsWith(".") || NO_SOURCES.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sourcePaths(path);
    else if (/\.tsx?$/.test(entry.name)) yield relative(ROOT, path);
  }
}

/** `from "…"`, `import "…"` and `import("…")`, as deno fmt lays them out. */
const IMPORT =
  /^(?:import|export|\}) ?[^"']*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

const LOAD = /^(?:import|export) (?!type\b)[^"';]*?\bfrom "(\.[^"]+)"/gm;

const URL_OF_FILE = /new URL\("([^"]+)", import\.meta\.url\)/g;

function importsOf(path: string, text: string): Omit<SourceFile, "path" | "text"> {
  const targets = [...text.matchAll(IMPORT)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  const names = [...text.matchAll(URL_OF_FILE)].map(([, target]) => target ?? "");
  const inRepository = (target: string) => join(dirname(path), target);
  return {
    loads: [...text.matchAll(LOAD)].map(([, target]) => inRepository(target ?? "")),
    imports: targets.filter((target) => target.startsWith(".")).map(inRepository),
    names: names.map(inRepository),
    packages: targets.filter((target) => !/^(\.|node:)/.test(target)),
  };
}
