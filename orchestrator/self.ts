/** How the demo starts this program again, and the agent that was shipped with it. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Sources end in .ts; a bundle is one folder of .js files. */
const FROM_SOURCE = import.meta.url.endsWith(".ts");

/** The command line of `logvend` with these arguments. */
export function logvendCommand(args: readonly string[]): string[] {
  if (Deno.build.standalone) return [Deno.execPath(), ...args];
  const main = FROM_SOURCE ? new URL("./main.ts", import.meta.url).href : Deno.mainModule;
  return [Deno.execPath(), "run", "--no-prompt", "--cached-only", "--allow-all", main, ...args];
}

/** The command line of `logvend-agent`: from the same sources, or the file beside this one. */
export function agentCommand(args: readonly string[]): string[] {
  if (FROM_SOURCE) {
    const main = fileURLToPath(new URL("../agent/main.ts", import.meta.url));
    return [Deno.execPath(), "run", "--no-prompt", "--cached-only", "--allow-all", main, ...args];
  }
  const self = Deno.env.get("LOGVEND_SELF") ?? Deno.execPath();
  return [join(dirname(self), "logvend-agent"), ...args];
}
