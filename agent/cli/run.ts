/** `logvend-agent run`: the agent in the foreground, until SIGTERM or Ctrl-C. */
import { configureLogging } from "../../protocol/process/logging.ts";
import { runAgent } from "../agent.ts";
import { readAgentConfig } from "../config.ts";

/** As of a shell: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs until a signal, then ends in order; a second one ends it at once, as a crash would. */
export async function runCommand(configPath: string): Promise<void> {
  const config = await readAgentConfig(configPath);
  configureLogging({ level: "info" });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      if (stop.signal.aborted) Deno.exit(EXIT_CODES[signal]);
      stop.abort();
    });
  }
  await runAgent(config, stop.signal);
}
