/** `logvend-agent account`: what was read, what became of it, and whether that adds up. */
import { configureLogging } from "../../protocol/process/logging.ts";
import { parseRange } from "../../protocol/range.ts";
import { accountRows } from "../account/account_file.ts";
import { hoursOf } from "../account/book.ts";
import { accountReport } from "../account/report.ts";
import { accountCsv, accountText, closingLine } from "../account/text.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import { readAgentConfig } from "../config.ts";
import { connectSnapshots } from "../query/socket.ts";
import { readBooks } from "../store/files/stored_files.ts";
import { chosenStream } from "./streams.ts";

export interface AccountOptions {
  config: string;
  stream?: string;
  since?: string;
  until?: string;
  output: "table" | "json" | "csv";
}

/** What does not add up is no failure of this program, and yet not to be overlooked. */
const EXIT_DIFFERENCE = 1;

/** @throws {LogvendError} usage, bad_config or unavailable */
export async function accountCommand(options: AccountOptions): Promise<void> {
  const config = await readAgentConfig(options.config);
  configureLogging({ level: "warning" });
  const { since = "all", until, output } = options;
  const hours = hoursOf(parseRange({ since, until }, Date.now()));
  const isShown = (hour: string) =>
    hour >= (hours.since ?? "") && (hours.until === null || hour < hours.until);
  const chosen = options.stream === undefined
    ? config.streams
    : [chosenStream(config, options.stream)];
  const streams = chosen.map(({ name }) => name);
  const books = readBooks(config.data_dir);
  const report = accountReport(books, streams, isShown);
  const { differences } = report;
  switch (output) {
    case "table":
      console.log(accountText(report).trimEnd());
      break;
    case "json":
      console.log(JSON.stringify({ ...report, adds_up: differences.length === 0 }, null, 2));
      break;
    case "csv": {
      const rows = accountRows(books)
        .filter(({ stream, hour }) => streams.includes(stream) && isShown(hour));
      console.log(accountCsv(rows).trimEnd());
      console.error(closingLine(report));
    }
  }
  if (await isRunning(config.data_dir)) {
    console.error(
      "the agent runs: what it has read since its last flush " +
        `(every ${formatDurationMs(config.flush_every)}) is counted with the next`,
    );
  }
  if (differences.length > 0) Deno.exitCode = EXIT_DIFFERENCE;
}

async function isRunning(dataDir: string): Promise<boolean> {
  await using agent = await connectSnapshots(dataDir);
  return agent !== null;
}
