/** logvend: orchestrator and operator's command line. */
import { CommanderError } from "commander";
import { LogvendError, messageOf } from "../protocol/errors.ts";
import { logvendProgram } from "./cli/program.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  try {
    await logvendProgram().parseAsync(args, { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64; // it has spoken
    if (error instanceof Deno.errors.BrokenPipe) return 0; // `| head` has what it wanted
    console.error(messageOf(error));
    return error instanceof LogvendError ? error.exitCode : 70;
  }
}
