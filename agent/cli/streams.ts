/** `--stream`: which of the configured streams a command is about. */
import { LogvendError } from "../../protocol/errors.ts";
import type { AgentConfig } from "../config.ts";
import type { StreamConfig } from "../stream_config.ts";

/** The named stream, else the first one. @throws {LogvendError} usage, when it is not configured */
export function chosenStream({ streams }: AgentConfig, name: string | undefined): StreamConfig {
  const stream = name === undefined ? streams[0] : streams.find((one) => one.name === name);
  if (stream !== undefined) return stream;
  const names = streams.map((one) => one.name).join(", ");
  throw new LogvendError("usage", `--stream ${name}: not configured; configured are ${names}`);
}
