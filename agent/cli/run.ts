/** `logvend-agent run`: the agent in the foreground, until SIGTERM or Ctrl-C. */
import { configureLogging } from "../../protocol/logging.ts";
import { runAgent } from "../agent.ts";
import { readAgentConfig } from "../config.ts";

export async function runCommand(configPath: string): Promise<void> {
  const config = await readAgentConfig(configPath);
  configureLogging({ level: "info" });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  await runAgent(config, stop.signal);
}
