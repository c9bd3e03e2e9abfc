/** logvend-agent: the edge binary. Runs the commands, and the worker processes behind them. */
import { SEAL_COMMAND, WORKER_COMMAND } from "./self.ts";

/**
 * DuckDB's allocator keeps freed memory for later; here it goes back to the host at once, which
 * halves what a flush leaves behind. Read when DuckDB's library is loaded, so it is set before.
 */
const DUCKDB_ALLOCATOR = "dirty_decay_ms:0,muzzy_decay_ms:0";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. Each way loads its own part only: workers start sooner for it. */
async function main(args: readonly string[]): Promise<number> {
  const [command, argument = ""] = args;
  if (command === WORKER_COMMAND) {
    const { queryWorker } = await import("./query/worker.ts");
    return await queryWorker(argument);
  }
  if (command === SEAL_COMMAND) {
    const { sealWorker } = await import("./store/seal_process.ts");
    return await sealWorker();
  }
  Deno.env.set("DUCKDB_JE_MALLOC_CONF", DUCKDB_ALLOCATOR);
  const { runProgram } = await import("../protocol/run_program.ts");
  const { agentProgram } = await import("./cli/program.ts");
  return await runProgram(agentProgram(), args);
}
