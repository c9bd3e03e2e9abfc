/** The parser of a stream's format; `auto` tells JSON by a line's first character. */
import { parseAccess } from "./combined.ts";
import type { AccessFormat } from "./combined.ts";
import { jsonTimeParser, parseJson } from "./json.ts";
import { createRebuilder } from "./rebuild.ts";
import type { LineParser } from "./row.ts";
import { parseNginxTime, rememberingLast } from "./time.ts";

/** Those of access logs; json is what `auto` takes lines for that begin with a brace. */
export type Format = "combined" | "common" | "json" | "auto";

/**
 * Makes a parser for the lines of one file. The layout of a row stays only where rebuilding it
 * gives the very line. A carriage return at the end, and zero bytes in front (left by a writer
 * whose file was truncated), belong to the line but not to its fields.
 */
export function createLineParser(format: Format): LineParser {
  const accessTime = rememberingLast(parseNginxTime);
  const access = accessFormat(format);
  const jsonTime = jsonTimeParser();
  const rebuild = createRebuilder();
  return (line) => {
    const text = fieldsOf(line);
    const row = isJson(format, text)
      ? parseJson(text, jsonTime)
      : parseAccess(text, access, accessTime);
    if (typeof row !== "string" && rebuild(row) !== line) row.layout = null;
    return row;
  };
}

/** What lines that are no JSON may be. */
export function accessFormat(format: Format): AccessFormat {
  return format === "combined" || format === "common" ? format : "either";
}

/** Whether a line is read as JSON. */
export function isJson(format: Format, line: string): boolean {
  return format === "json" || (format === "auto" && line.startsWith("{", zerosBefore(line)));
}

function fieldsOf(line: string): string {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  return line.slice(zerosBefore(line), end);
}

function zerosBefore(line: string): number {
  let count = 0;
  while (line.charCodeAt(count) === 0) count++;
  return count;
}
