/** logvend-agent: the edge binary. Runs the commands, and the worker processes behind them. */
import { SEAL_COMMAND, WORKER_COMMAND } from "./self.ts";

/**
 * DuckDB's allocator keeps freed memory for later; in the agent that stays it goes back to the host
 * at once, which halves what a flush leaves behind. What ends soon is faster with its memory kept:
 * sealing and importing by a fifth. Read when DuckDB's library is loaded, so it is set before.
 */
const ALLOCATOR_VARIABLE = "DUCKDB_JE_MALLOC_CONF";
const ALLOCATOR_OF_AGENT = "dirty_decay_ms:0,muzzy_decay_ms:0";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. Each way loads its own part only: workers start sooner for it. */
async function main(args: readonly string[]): Promise<number> {
  const [command, argument = ""] = args;
  if (command === WORKER_COMMAND) {
    const { queryWorker } = await import("./query/worker.ts");
    return await queryWorker(argument);
  }
  if (command === "run") Deno.env.set(ALLOCATOR_VARIABLE, ALLOCATOR_OF_AGENT);
  else Deno.env.delete(ALLOCATOR_VARIABLE); // of the agent that started this process
  if (command === SEAL_COMMAND) {
    const { sealWorker } = await import("./store/seal_process.ts");
    return await sealWorker();
  }
  const { runProgram } = await import("../protocol/run_program.ts");
  const { agentProgram } = await import("./cli/program.ts");
  return await runProgram(agentProgram(), args);
}
