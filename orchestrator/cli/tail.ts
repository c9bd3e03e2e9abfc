/** `logvend tail`: new lines of the fleet on stdout as they come, what is not there on stderr. */
import type { Command } from "commander";
import { TAIL_RATE_MAX } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { StreamName } from "../../protocol/names.ts";
import { counted } from "../../protocol/units.ts";
import { signTail } from "../access/sign.ts";
import type { TailEvent } from "../api/events.ts";
import { coverageOf } from "../fanout/coverage.ts";
import type { Missing } from "../fanout/coverage.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import { coverageLines } from "../output.ts";
import type { ApiClient } from "./client.ts";
import { addAudienceOptions, keyOf, selectorText } from "./question.ts";
import type { AudienceOptions } from "./question.ts";
import type { Terminal } from "./terminal.ts";

/** What is signed with the condition. */
export interface TailSignOptions extends AudienceOptions {
  stream: string;
  rate: string;
}

export interface TailOptions extends TailSignOptions {
  output: "text" | "json";
  quiet?: true;
}

/** The condition where none is given. */
export const EVERY_LINE = "true";

export interface TailCommand {
  condition: string | undefined;
  options: TailOptions;
  client: ApiClient;
  terminal: Terminal;
}

type Told = Exclude<TailEvent, { type: "error" }>;

/** Adds the flags of TailSignOptions to a command. */
export function addTailOptions(command: Command): Command {
  return addAudienceOptions(command)
    .option("--stream <name>", "whose lines", "logs")
    .option("--rate <lines>", "lines a second shown of all hosts; the rest is counted", "500");
}

/** Signs a tail. @throws {LogvendError} usage */
export async function tailToken(
  condition: string,
  options: TailSignOptions,
  nowMs: number,
): Promise<string> {
  return await signTail({
    condition,
    stream: streamOf(options.stream),
    selector: selectorText(options),
    rate: rateOf(options.rate),
    key: await keyOf(options),
    nowMs,
  });
}

/** Runs until Ctrl-C or until nobody is left; throws then. @throws {LogvendError} */
export async function tailCommand(command: TailCommand): Promise<number> {
  const { options, client, terminal } = command;
  const { condition: sql = EVERY_LINE } = command;
  const token = await tailToken(sql, options, terminal.now());
  const printer = new TailPrinter(options, terminal);
  try {
    for await (const event of client.tail({ sql, token, signal: terminal.signal })) {
      await printer.print(event);
    }
    throw new LogvendError("unavailable", "The tail was cut off");
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    terminal.error(`${error.message}: exit ${error.exitCode}`);
    for (const line of coverageLines(error.coverage)) terminal.error(line);
    return error.exitCode;
  }
}

class TailPrinter {
  private hostWidth = 0;
  private leftOut = 0;
  private unchecked = 0;

  constructor(private readonly options: TailOptions, private readonly terminal: Terminal) {}

  async print(event: Told): Promise<void> {
    switch (event.type) {
      case "started":
        this.started(event);
        return;
      case "lines":
        await this.terminal.write(event.lines.map((line) => this.text(line)).join(""));
        return;
      case "joined":
        this.say(`  joined  ${event.hosts.length}  ${event.hosts.join(" ")}`);
        return;
      case "missing":
        this.missing(event.missing);
        return;
      case "left_out":
        this.left(event);
        return;
      default:
        event satisfies never;
    }
  }

  private started({ query_id, stream, answered, missing }: Extract<Told, { type: "started" }>) {
    const hosts = `${answered}/${counted(answered + missing.length, "host")}`;
    this.say(`tailing ${stream} · ${hosts} · ${query_id} · Ctrl-C ends it`);
    this.missing(missing);
  }

  private missing(missing: readonly Missing[]) {
    for (const line of coverageLines(coverageOf([], missing))) this.say(line);
  }

  private left({ left_out, unchecked }: Extract<Told, { type: "left_out" }>) {
    const more = left_out - this.leftOut;
    const unread = unchecked - this.unchecked;
    this.leftOut = left_out;
    this.unchecked = unchecked;
    if (more > 0) this.say(`… ${inWords(more)} left out: over --rate ${this.options.rate}`);
    if (unread > 0) this.say(`… ${inWords(unread)} not looked at: hosts read too many at once`);
  }

  private say(line: string) {
    if (!this.options.quiet) this.terminal.error(line);
  }

  /** A line of a file is one on the screen; an event of several lines is as many. */
  private text({ ts, host, line }: { ts: string; host: string; line: string }): string {
    const { output, stream } = this.options;
    if (output === "json") return `${JSON.stringify({ ts, host, stream, line })}\n`;
    this.hostWidth = Math.max(this.hostWidth, host.length);
    const shown = this.terminal.stdoutIsTerminal ? line.replace(/[^\P{Cc}\t\n]/gu, "?") : line;
    const prefix = host.padEnd(this.hostWidth);
    return shown.split("\n").map((part) => `${prefix}  ${part}\n`).join("");
  }
}

function inWords(count: number): string {
  return `${count.toLocaleString("en-US")} line${count === 1 ? "" : "s"}`;
}

function streamOf(name: string): string {
  if (StreamName.safeParse(name).success) return name;
  throw new LogvendError("usage", `--stream ${name}: wanted a name, e.g. logs`);
}

function rateOf(text: string): number {
  const rate = /^\d+$/.test(text) ? Number(text) : 0;
  if (rate >= 1 && rate <= TAIL_RATE_MAX) return rate;
  throw new LogvendError("usage", `--rate ${text}: wanted lines a second, 1 to ${TAIL_RATE_MAX}`);
}
