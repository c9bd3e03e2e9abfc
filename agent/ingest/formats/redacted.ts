/** Lines as they may be stored: rules replace values in the text and in the columns made of it. */
import { REDACTABLE } from "../../rules/redact.ts";
import type { RedactableField, Redactor } from "../../rules/redact.ts";
import { createLineParser, isJson } from "./format.ts";
import type { Format } from "./format.ts";
import type { AccessRow, RejectReason } from "./row.ts";
import { soundJson } from "./sound_json.ts";

/** A line that was read. */
export interface ReadLine {
  row: AccessRow;
  /** The line's text; nothing needs it where the row has a layout. */
  line: string;
  /** Whether a rule changed anything: then nothing of the original may be kept. */
  isRedacted: boolean;
}

/** A line's text, without its end, to its row or to the reason why there is none. */
export type LineReader = (text: string) => ReadLine | RejectReason;

/** Makes a reader for the lines of one file. */
export function createLineReader(format: Format, redactor: Redactor | null): LineReader {
  const parse = createLineParser(format);
  const read = (line: string) => {
    const row = parse(line);
    return typeof row === "string" ? row : { row, line, isRedacted: false };
  };
  if (redactor === null) return read;
  return (text) => {
    const redacted = redactor.text(text);
    let found = read(redacted);
    if (found === "bad_json" && redacted !== text && typeof read(text) !== "string") {
      found = read(soundJson(redacted));
    }
    if (typeof found === "string") return found;
    const { row, line } = found;
    const changes = changesOf(row, redactor);
    if (changes.length === 0) return { ...found, isRedacted: line !== text };
    for (const { field, value } of changes) row[field] = value;
    const isRebuilt = row.layout !== null;
    const replaced = isRebuilt ? line : replacedIn(line, changes, isJson(format, line));
    if (!isRebuilt && (replaced === null || !sameFields(parse(replaced), row))) {
      row.layout = layoutOf(row, isJson(format, line));
    }
    return { row, line: replaced ?? "", isRedacted: true };
  };
}

interface Change {
  field: RedactableField;
  original: string;
  value: string;
}

function changesOf(row: AccessRow, { fields }: Redactor): Change[] {
  const changes: Change[] = [];
  for (const field of REDACTABLE) {
    const original = row[field];
    const value = original === null ? null : fields.get(field)?.(original) ?? original;
    if (original !== null && value !== null && value !== original) {
      changes.push({ field, original, value });
    }
  }
  return changes;
}

/**
 * The line with each value replaced wherever it stands; null where it may hold a value in another
 * spelling: JSON may escape it, and repeats the request under several names.
 */
function replacedIn(line: string, changes: readonly Change[], json: boolean): string | null {
  if (json && (line.includes("\\") || changes.some(({ field }) => field === "request"))) {
    return null;
  }
  const replaced = changes.reduce(
    (text, { original, value }) => text.replaceAll(original, () => value),
    line,
  );
  return changes.some(({ original }) => replaced.includes(original)) ? null : replaced;
}

/** Whether a line, read again, gives the very columns that are stored. */
function sameFields(again: AccessRow | RejectReason, row: AccessRow): boolean {
  if (typeof again === "string") return false;
  const names = Object.keys(row) as (keyof AccessRow)[]; // a row has these keys and no others
  return names.every((name) => name === "layout" || again[name] === row[name]);
}

/** The layout that makes up a line of the columns alone. */
function layoutOf(row: AccessRow, json: boolean): AccessRow["layout"] {
  if (json) return "json";
  if (row.http_referer === null) return "common";
  return row.request_time_ms === null ? "combined" : "combined_time";
}
