/** What a host has written and what was erased of it: which lines there have to be. */
import { LineNumbers } from "../faults/writer.ts";
import type { LineFormat } from "../faults/writer.ts";

export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Lines are of the week before: some days are over for the catalog, some are not. */
export const FIRST_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS - 6 * DAY_MS;
/** Each begins so long after the one before. */
export const HOURS = 18;
export const EVERY_MS = 7 * HOUR_MS;
export const LAST_MS = FIRST_MS + HOURS * EVERY_MS + HOUR_MS;

const ADDRESSES = 5;

export interface Line {
  number: number;
  /** Without its end. */
  text: string;
  atMs: number;
  address: string;
  /** No format can read it; its own time is not known. */
  isReject: boolean;
}

/** Half-open. */
export interface Erasure {
  id: string;
  sinceMs: number;
  untilMs: number;
  /** Null: all of the range. */
  address: string | null;
  /** Whether hosts and archive were seen without these lines. */
  isSettled: boolean;
}

/** How often a line may be in an answer. */
export type Fate = "once" | "never" | "maybe";

/** The lines of one host; clients take turns. */
export class HostLines extends LineNumbers {
  readonly written: Line[] = [];
  /** So many of them, the first, had been archived when all was quiet. */
  settled = 0;

  override line(format: LineFormat, atMs: number, filler = ""): string {
    const text = super.line(format, atMs, filler);
    const address = addressOf(this.count);
    const isReject = format === "broken";
    this.written.push({ number: this.count, text: text.trimEnd(), atMs, address, isReject });
    return text;
  }

  protected override address(number: number): string {
    return addressOf(number);
  }
}

export function addressOf(number: number): string {
  return `10.0.0.${number % ADDRESSES}`;
}

/** What has to be so when nothing is on its way. */
export function fateOf(line: Line, erasures: readonly Erasure[]): Fate {
  const concerning = erasures.map((erasure) => concerns(erasure, line));
  return concerning.includes("never") ? "never" : concerning.includes("maybe") ? "maybe" : "once";
}

function concerns({ sinceMs, untilMs, address }: Erasure, line: Line): Fate {
  if (address !== null && address !== line.address) return "once";
  if (line.isReject) return "maybe"; // its time is that of the line before it, wherever it was read
  return line.atMs >= sinceMs && line.atMs < untilMs ? "never" : "once";
}

/** The same in the midst of it: what was not seen whole or gone yet may be either. */
export function fateNow(line: Line, isSettled: boolean, erasures: readonly Erasure[]): Fate {
  const fate = fateOf(line, erasures);
  if (fate === "once") return isSettled ? "once" : "maybe";
  if (fate === "maybe" || !isSettled) return "maybe";
  return fateOf(line, erasures.filter((erasure) => erasure.isSettled)) === "never"
    ? "never"
    : "maybe";
}

/** By number, how often each line of a host was found. */
export type Found = ReadonlyMap<number, number>;

/** What is wrong with an answer about one host; empty: nothing. @param isWhole it lacks nothing */
export function problemsOf(
  lines: readonly Line[],
  found: Found,
  fate: (line: Line, index: number) => Fate,
  isWhole = true,
): string[] {
  const wrong = { missing: [] as number[], doubled: [] as number[], erased: [] as number[] };
  for (const [index, line] of lines.entries()) {
    const count = found.get(line.number) ?? 0;
    const wanted = fate(line, index);
    if (count > 1) wrong.doubled.push(line.number);
    else if (count === 1 && wanted === "never") wrong.erased.push(line.number);
    else if (count === 0 && wanted === "once" && isWhole) wrong.missing.push(line.number);
  }
  const known = new Set(lines.map(({ number }) => number));
  const alien = [...found.keys()].filter((number) => !known.has(number));
  return Object.entries({ ...wrong, alien }).filter(([, numbers]) => numbers.length > 0)
    .map(([what, numbers]) => `${numbers.length} ${what} (${numbers.slice(0, 6).join(", ")})`);
}
