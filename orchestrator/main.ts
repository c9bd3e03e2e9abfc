/** logvend: orchestrator and operator's command line. */
import { runProgram } from "../protocol/run_program.ts";
import { logvendProgram } from "./cli/program.ts";

if (import.meta.main) Deno.exit(await runProgram(logvendProgram(), Deno.args));
