/** How this program starts itself again, and the demo the agent that was shipped with it. */
import { dirname, join } from "node:path";
import { FROM_SOURCE, programCommand } from "../protocol/process/own_process.ts";
import type { CommandLine } from "../protocol/process/own_process.ts";

/** Hidden subcommand: the child that writes a long answer. */
export const EXPORT_COMMAND = "worker-export";

/** The command line of `logvend` with these arguments. */
export function logvendCommand(
  args: readonly string[],
  permissions?: readonly string[],
): CommandLine {
  return programCommand(new URL("./main.ts", import.meta.url), args, permissions);
}

/** The command line of `logvend-agent`: from the same sources, or the file beside this one. */
export function agentCommand(args: readonly string[]): CommandLine {
  if (FROM_SOURCE) return programCommand(new URL("../agent/main.ts", import.meta.url), args);
  const self = Deno.env.get("LOGVEND_SELF") ?? Deno.execPath();
  return { command: join(dirname(self), "logvend-agent"), args: [...args] };
}
