/** `logvend-agent try`: which format a log has, what its rows look like, and the YAML for it. */
import { basename, resolve } from "node:path";
import { stringify } from "yaml";
import { LogvendError } from "../../protocol/errors.ts";
import { counted } from "../../protocol/units.ts";
import { renderTable, visible } from "../../queries/answer/table.ts";
import { stdoutLook } from "../../queries/answer/table_look.ts";
import { tryFormats } from "../ingest/trial.ts";
import type { Trial } from "../ingest/trial.ts";
import type { Format } from "../stream_format.ts";
import { firstLines } from "./first_lines.ts";

const ROWS_SHOWN = 3;
const REJECTS_SHOWN = 5;
/** Of a line that no format reads. */
const LINE_CHARACTERS_SHOWN = 120;

export interface TryOptions {
  output: "text" | "json";
}

/** Says what it found; the exit code is 1 when no format reads any line. */
export async function tryCommand(file: string, { output }: TryOptions): Promise<void> {
  const { lines, isAll } = await firstLines(file);
  if (lines.length === 0) throw new LogvendError("usage", `${file} holds no line yet`);
  const trial = tryFormats(lines, ROWS_SHOWN);
  console.log(output === "json" ? asJson(file, trial) : asText(file, trial, isAll).trimEnd());
  if (trial.format === null) Deno.exitCode = 1;
}

function asText(file: string, trial: Trial, isAll: boolean): string {
  const { format, lines, rows, timeless, columns, firstRows, rejects } = trial;
  const looked = isAll ? counted(lines, "line") : `the first ${counted(lines, "line")}`;
  if (format === null) {
    return `${file}: no format reads any of ${looked}\n${rejectsText(trial)}` +
      "The log can be kept all the same: with `format: raw` each line is a row, and `format: { nginx: LOG_FORMAT }` or `{ regex: PATTERN }` takes lines apart";
  }
  return [
    `${file}: format ${format}, ${rows} of ${looked}` +
    (timeless === 0 ? "" : `; ${timeless} without a time`) +
    (rejects.length === 0 ? "" : `; ${rejects.length} cannot be read:`),
    rejectsText(trial),
    renderTable(columns, firstRows, stdoutLook()),
    "For agent.yaml:\n",
    yamlFor(file, format),
  ].filter((part) => part !== "").join("\n");
}

function rejectsText({ rejects }: Trial): string {
  const examples = rejects.slice(0, REJECTS_SHOWN).map(({ lineNumber, reason, line }) => {
    const cut = line.length > LINE_CHARACTERS_SHOWN ? "…" : "";
    return `  line ${lineNumber}, ${reason}: ${
      visible(line.slice(0, LINE_CHARACTERS_SHOWN))
    }${cut}`;
  });
  const more = rejects.length - examples.length;
  return [...examples, ...(more > 0 ? [`  … and ${counted(more, "line")} more`] : []), ""]
    .join("\n");
}

function yamlFor(file: string, format: Format): string {
  const path = file === "-" ? "/path/to/the.log" : resolve(file);
  return stringify({ streams: [{ name: "logs", format, files: [path] }] });
}

function asJson(file: string, { format, lines, rows, firstRows, rejects }: Trial): string {
  const reasons: Record<string, number> = {};
  for (const { reason } of rejects) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return JSON.stringify({
    file: file === "-" ? file : basename(file),
    format,
    lines,
    rows,
    rejects: reasons,
    first_rows: firstRows,
    first_rejects: rejects.slice(0, REJECTS_SHOWN)
      .map(({ lineNumber, reason, line }) => ({ line_number: lineNumber, reason, line })),
    yaml: format === null ? null : yamlFor(file, format),
  });
}
