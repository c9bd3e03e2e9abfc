/** How a program of ours starts itself again, for work that wants a process of its own. */
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";

/** Sources end in .ts; a bundle keeps all of its .js files in one folder, its entry among them. */
export const FROM_SOURCE = import.meta.url.endsWith(".ts");

/** The folder with the program and its packages: what every process of ours must read. */
export const PROGRAM_FOLDER = fileURLToPath(
  new URL(FROM_SOURCE ? "../../" : "./", import.meta.url),
);

/**
 * Who runs from the sources has set the packages up: nobody has to look, for half a second and one
 * after the other, whether they are complete.
 */
export const SOURCE_FLAGS: readonly string[] = FROM_SOURCE
  ? ["--cached-only", "--node-modules-dir=manual"]
  : ["--cached-only"];

/** A command with its arguments. */
export interface CommandLine {
  command: string;
  args: string[];
}

/**
 * The command line of a program with other arguments.
 * @param source the program's entry among the sources: absolute, or an URL
 * @param permissions Deno's flags for the child; a compiled executable has them built in
 */
export function programCommand(
  source: string | URL,
  args: readonly string[],
  permissions: readonly string[] = ["--allow-all"],
): CommandLine {
  const command = Deno.execPath();
  if (Deno.build.standalone) return { command, args: [...args] };
  const main = FROM_SOURCE ? String(source) : Deno.mainModule;
  return { command, args: ["run", "--no-prompt", ...SOURCE_FLAGS, ...permissions, main, ...args] };
}

/**
 * Lowers the priority of a process that was just spawned: it has one thread as yet, and those that
 * follow take after it. The services of the host come first.
 */
export function beNice(child: Deno.ChildProcess, nice: number) {
  try {
    setPriority(child.pid, nice);
  } catch {
    // It has ended already.
  }
}

/** Paths as one of Deno's permission flags takes them: `--allow-read=${pathList(a, b)}`. */
export function pathList(...paths: readonly string[]): string {
  return paths.map((path) => path.replaceAll(",", ",,")).join(",");
}

/** What a child needs from the environment: where Deno keeps its cache, for sources. Nothing secret. */
const ENVIRONMENT = FROM_SOURCE ? ["HOME", "DENO_DIR"] : [];

/** The environment of a child that runs the SQL of others. */
export function bareEnvironment(): Record<string, string> {
  const inherited = ENVIRONMENT.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(inherited), NO_COLOR: "1" };
}

/** What `lastWords` keeps. */
const LAST_CHARACTERS_MAX = 20_000;

/** The end of what a child says on stderr, when it has ended. */
export async function lastWords(stderr: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const block of stderr.pipeThrough(new TextDecoderStream())) {
    text = (text + block).slice(-LAST_CHARACTERS_MAX);
  }
  return text.trim();
}
