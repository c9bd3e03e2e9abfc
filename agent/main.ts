/** logvend-agent: the edge binary. Runs the commands, and the worker processes behind them. */
import { SEAL_COMMAND, WORKER_COMMAND } from "./self.ts";

/**
 * DuckDB's allocator keeps freed memory for a while; in the agent that stays it goes back to the host
 * at once, which halves what a flush leaves behind. What ends soon keeps it: sealing and importing
 * take a quarter less time for it. All threads share what is kept: each with its own would add up to
 * twice as much. Read when DuckDB's library is loaded, so it is set before.
 */
const ALLOCATOR_VARIABLE = "DUCKDB_JE_MALLOC_CONF";
const ALLOCATOR_OF_AGENT = "dirty_decay_ms:0,muzzy_decay_ms:0";
const ALLOCATOR_OF_OTHERS = "dirty_decay_ms:60000,narenas:1,oversize_threshold:0";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. Each way loads its own part only: workers start sooner for it. */
async function main(args: readonly string[]): Promise<number> {
  const [command, argument = ""] = args;
  if (command === WORKER_COMMAND) {
    const { queryWorker } = await import("./query/worker.ts");
    return await queryWorker(argument);
  }
  Deno.env.set(ALLOCATOR_VARIABLE, command === "run" ? ALLOCATOR_OF_AGENT : ALLOCATOR_OF_OTHERS);
  if (command === SEAL_COMMAND) {
    const { sealWorker } = await import("./store/sealing/seal_process.ts");
    return await sealWorker();
  }
  const { runProgram } = await import("../protocol/process/run_program.ts");
  const { agentProgram } = await import("./cli/program.ts");
  return await runProgram(agentProgram(), args);
}
