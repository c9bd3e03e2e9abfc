/** `logvend generate`: access logs as a web server would write them. */
import { LogvendError } from "../../protocol/errors.ts";
import { counted } from "../../protocol/units.ts";
import { generateTo } from "../generate/generate.ts";
import type { LineFormat } from "../generate/lines.ts";

export const LINE_FORMATS = [
  "combined",
  "combined_time",
  "json",
] as const satisfies readonly LineFormat[];

export interface GenerateFlags {
  out: string;
  format: LineFormat;
  rate: string;
  seed: string;
  backlog: string;
  hours: string;
}

/** Writes until SIGTERM or Ctrl-C, and says how many lines. @throws {LogvendError} usage */
export async function generateCommand(flags: GenerateFlags): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  const { lines } = await generateTo({
    file: flags.out,
    format: flags.format,
    ratePerSecond: number("--rate", flags.rate),
    seed: number("--seed", flags.seed),
    backlog: {
      lines: number("--backlog", flags.backlog),
      hours: number("--hours", flags.hours),
    },
    signal: stop.signal,
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, onSignal);
  console.log(`${counted(lines, "line")} written to ${flags.out}`);
}

function number(flag: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new LogvendError("usage", `${flag} ${text}: wanted a number of at least 0`);
}
