/** `logvend serve`: one orchestrator until SIGINT or SIGTERM. */
import { configureLogging } from "../../protocol/process/logging.ts";
import { readOrchestratorConfig } from "../config.ts";
import { startOrchestrator } from "../server.ts";
import { aborted, stopSignal } from "./terminal.ts";

/** Connections, the broker and DuckDB close in a fraction of this. */
const CLEAN_UP_MAX_MS = 10_000;

/** @throws {LogvendError} bad_config or unavailable */
export async function serveCommand(configPath: string): Promise<void> {
  const config = await readOrchestratorConfig(configPath);
  configureLogging();
  const signal = stopSignal({ signals: ["SIGINT", "SIGTERM"], cleanUpMaxMs: CLEAN_UP_MAX_MS });
  await using _orchestrator = await startOrchestrator(config);
  await aborted(signal);
}
