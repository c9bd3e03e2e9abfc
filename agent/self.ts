/** How the agent starts itself again, as one of its own worker processes. */
import { programCommand } from "../protocol/process/own_process.ts";
import type { CommandLine } from "../protocol/process/own_process.ts";

/** Hidden subcommands: the children of a running agent. */
export const WORKER_COMMAND = "worker-query";
export const SEAL_COMMAND = "worker-seal";

/** The command line of this program with other arguments. */
export function selfCommand(args: readonly string[], permissions?: readonly string[]): CommandLine {
  return programCommand(new URL("./main.ts", import.meta.url), args, permissions);
}
