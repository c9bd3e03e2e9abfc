/** Sets up logging for both programs: lines for people on a terminal, JSON lines elsewhere. */
import {
  configureSync,
  getJsonLinesFormatter,
  getTextFormatter,
  isLogLevel,
} from "@logtape/logtape";
import type { LogLevel, LogRecord, TextFormatter } from "@logtape/logtape";
import { LogvendError } from "../errors.ts";

/** What a program wants of its own log. */
export interface LoggingOptions {
  /** What is logged unless LOGVEND_LOG says otherwise. @default "info" */
  level?: LogLevel;
}

const LEVELS = "trace, debug, info, warning, error or fatal";

/** Sends every log record to stderr; stdout is for results. @throws {LogvendError} bad_config */
export function configureLogging(options: LoggingOptions = {}): void {
  const lowestLevel = Deno.env.get("LOGVEND_LOG") ?? options.level ?? "info";
  if (!isLogLevel(lowestLevel)) {
    throw new LogvendError("bad_config", `LOGVEND_LOG: found "${lowestLevel}"; wanted ${LEVELS}`);
  }
  const format = formatter(Deno.stderr.isTerminal());
  configureSync({
    reset: true,
    sinks: { stderr: (record: LogRecord) => console.error(format(record).trimEnd()) },
    loggers: [
      { category: [], sinks: ["stderr"], lowestLevel },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
}

/** `10:14:07 warning agent.tail: Cannot read …`, or one JSON object with its properties. */
function formatter(forPeople: boolean): TextFormatter {
  if (!forPeople) return getJsonLinesFormatter();
  return getTextFormatter({
    timestamp: (epochMs) => new Date(epochMs).toISOString().slice(11, 19),
    level: "full",
    category: ".",
    value: "bare",
    format: ({ timestamp, level, category, message }) =>
      `${timestamp} ${level} ${category}: ${message}`,
  });
}
