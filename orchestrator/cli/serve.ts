/** `logvend serve`: one orchestrator until SIGINT or SIGTERM. */
import { configureLogging } from "../../protocol/logging.ts";
import { readOrchestratorConfig } from "../config.ts";
import { startOrchestrator } from "../server.ts";

/** @throws {LogvendError} bad_config or unavailable */
export async function serveCommand(configPath: string): Promise<void> {
  const config = await readOrchestratorConfig(configPath);
  configureLogging();
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  await using _orchestrator = await startOrchestrator(config);
  await stopped;
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, stop);
}
