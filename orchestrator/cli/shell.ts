/** `logvend shell`: at a terminal line by line, from a pipe as a script. */
import { VERSION } from "../../protocol/version.ts";
import type { ApiClient } from "./client.ts";
import type { QueryOptions } from "./ask.ts";
import { keyOf } from "./question.ts";
import { runPiped, runTyped } from "./shell/read_lines.ts";
import { Shell } from "./shell/shell.ts";
import type { Terminal } from "./terminal.ts";

export interface ShellCommand {
  options: QueryOptions;
  client: ApiClient;
  terminal: Terminal;
}

/**
 * Returns the exit code: at a terminal 0, of a script that of what was not whole.
 * @throws {LogvendError} without a key, and of a script with the first error
 */
export async function shellCommand({ options, client, terminal }: ShellCommand): Promise<number> {
  await keyOf(options); // without one no statement could be asked
  const shell = new Shell(client, terminal, options);
  if (!Deno.stdin.isTerminal() || !terminal.stdoutIsTerminal) {
    await runPiped(shell);
    return shell.exitCode;
  }
  shell.say(`logvend ${VERSION} · SQL ends with ; · \\? helps · Ctrl-D leaves`);
  await runTyped(shell);
  return 0;
}
