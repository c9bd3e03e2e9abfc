/** logvend-agent: the edge binary. Runs the commands, and the worker processes behind them. */
import { CommanderError } from "commander";
import { LogvendError, messageOf } from "../protocol/errors.ts";
import { WORKER_COMMAND } from "./query/worker_protocol.ts";
import { SEAL_COMMAND, sealWorker } from "./store/seal_process.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [command, argument = ""] = args;
  if (command === WORKER_COMMAND) {
    // Workers load their own part only: they start sooner, and need fewer permissions.
    const { queryWorker } = await import("./query/worker.ts");
    return await queryWorker(argument);
  }
  if (command === SEAL_COMMAND) return await sealWorker();
  try {
    const { agentProgram } = await import("./cli/program.ts");
    await agentProgram().parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64; // it has spoken
    console.error(messageOf(error));
    return error instanceof LogvendError ? error.exitCode : 70;
  }
}
