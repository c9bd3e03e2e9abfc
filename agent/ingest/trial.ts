/** Tries the formats on the first lines of a log: which one reads it, and what it cannot read. */
import { FORMATS } from "./formats/format.ts";
import type { Format } from "./formats/format.ts";
import { createLineParser } from "./formats/format.ts";
import type { AccessRow, RejectReason } from "./formats/row.ts";

/** A line that a format could not read. */
export interface TriedReject {
  /** From 1. */
  lineNumber: number;
  reason: RejectReason;
  line: string;
}

export interface Trial {
  /** The one that reads most lines; null: none reads any. */
  format: Format | null;
  lines: number;
  rows: AccessRow[];
  rejects: TriedReject[];
}

/** Tries every format on lines without their ends. Of formats that read as many, the first counts. */
export function tryFormats(lines: readonly string[]): Trial {
  const trials = FORMATS.map((format) => tryFormat(format, lines));
  const best = trials.reduce((a, b) => b.rows.length > a.rows.length ? b : a);
  return best.rows.length > 0 ? best : { ...best, format: null };
}

function tryFormat(format: Format, lines: readonly string[]): Trial {
  const parse = createLineParser(format);
  const trial: Trial = { format, lines: lines.length, rows: [], rejects: [] };
  for (const [i, line] of lines.entries()) {
    const row = parse(line);
    if (typeof row !== "string") trial.rows.push(row);
    else trial.rejects.push({ lineNumber: i + 1, reason: row, line });
  }
  return trial;
}
