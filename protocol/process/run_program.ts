/** How both programs end: an exit code, and for what went wrong one message without a stack. */
import { CommanderError } from "commander";
import type { Command } from "commander";
import { EXIT_CODES, firstOf, LogvendError, messageOf } from "../errors.ts";

/** Runs a command line and returns the exit code: `Deno.exitCode` where a command has set it. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  // `deno task demo -- --once` hands the separator on.
  const given = args[1] === "--" ? [...args.slice(0, 1), ...args.slice(2)] : args;
  try {
    await program.parseAsync(given, { from: "user" });
    return Deno.exitCode;
  } catch (thrown) {
    const error = firstOf(thrown);
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : EXIT_CODES.usage; // it has spoken
    }
    if (error instanceof Deno.errors.BrokenPipe) return 0; // `| head` has what it wanted
    console.error(messageOf(thrown));
    return error instanceof LogvendError ? error.exitCode : EXIT_CODES.internal;
  }
}
