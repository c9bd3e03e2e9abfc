/** How the agent starts itself again, as one of its own worker processes. */
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";

/** Hidden subcommands: the children of a running agent. */
export const WORKER_COMMAND = "worker-query";
export const SEAL_COMMAND = "worker-seal";

/** Sources end in .ts; a bundle keeps all of its .js files in one folder, its entry among them. */
const FROM_SOURCE = import.meta.url.endsWith(".ts");

/** The folder with the program and its packages: what every process of ours must read. */
export const PROGRAM_FOLDER = fileURLToPath(
  new URL(FROM_SOURCE ? "../" : "./", import.meta.url),
);

/**
 * The command line of this program with other arguments. `permissions` are Deno's flags for the
 * child; a compiled executable has them built in.
 */
export function selfCommand(
  args: readonly string[],
  permissions: readonly string[] = ["--allow-all"],
): { command: string; args: string[] } {
  const command = Deno.execPath();
  if (Deno.build.standalone) return { command, args: [...args] };
  const main = FROM_SOURCE ? new URL("./main.ts", import.meta.url).href : Deno.mainModule;
  return { command, args: ["run", "--no-prompt", "--cached-only", ...permissions, main, ...args] };
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
