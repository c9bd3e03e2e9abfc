/** logvend: orchestrator and operator's command line, and the process that writes long answers. */
import { EXPORT_COMMAND } from "./self.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Returns the exit code. Each way loads its own part only: a worker starts sooner for it. */
async function main(args: readonly string[]): Promise<number> {
  if (args[0] === EXPORT_COMMAND) {
    const { exportWorker } = await import("./export/export_worker.ts");
    return await exportWorker();
  }
  const { runProgram } = await import("../protocol/process/run_program.ts");
  const { logvendProgram } = await import("./cli/program.ts");
  return await runProgram(logvendProgram(), args);
}
