/** JSON lines of any kind: every member of the object is a field, nested values as JSON text. */
import { EventBuilder } from "./builder.ts";
import { unescaped } from "./escapes.ts";
import type { EventParser } from "./event.ts";
import type { ReadTime } from "./event_time.ts";
import type { TimeRule } from "./time_rule.ts";
import { isNumber, typedValue } from "./values.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A member's value that is no string, number, true, false or null. */
const NESTED = /^[{[]/;

/** A member that is a line of another log. */
export interface InnerLine {
  key: string;
  /** Its column; the line end is none of its text. */
  column: string;
}

/** Reads one object a line; the time is where `rule` finds it. */
export function jsonLines(rule: TimeRule, inner: InnerLine | null = null): EventParser {
  return (line) => {
    const members = membersOf(line);
    if (members === null) return "bad_json";
    if (inner !== null && !members.some(({ key }) => key === inner.key)) return "no_format";
    const timeKey = rule.keyOf(
      members.map(({ key }) => key),
      (wanted) =>
        members.some(({ key, start, end }) =>
          key === wanted && timeOf(rule, line.slice(start, end)) !== null
        ),
    );
    const builder = new EventBuilder();
    let at = 0;
    for (const { key, start, end } of members) {
      const raw = line.slice(start, end);
      builder.literal(line.slice(at, start));
      at = end;
      if (key === timeKey && readTime(builder, rule, raw)) continue;
      if (key === inner?.key) addInner(builder, inner.column, raw);
      else addMember(builder, key, raw);
    }
    builder.literal(line.slice(at));
    const event = builder.build();
    return event.time === null && rule.isRequired ? "bad_time" : event;
  };
}

/** Whether the member was a time, and has been added. */
function readTime(builder: EventBuilder, rule: TimeRule, raw: string): boolean {
  const time = timeOf(rule, raw);
  if (time === null) return false;
  const quote = raw.startsWith('"') ? '"' : "";
  builder.literal(quote);
  builder.time(time, textIn(raw));
  builder.literal(quote);
  return true;
}

/** The time that a member is. */
function timeOf(rule: TimeRule, raw: string): ReadTime | null {
  const isPlain = raw.startsWith('"') ? !raw.includes("\\") : isNumber(raw);
  return isPlain ? rule.parse(textIn(raw)) : null;
}

/** A member without its quotes. */
function textIn(raw: string): string {
  return raw.startsWith('"') ? raw.slice(1, -1) : raw;
}

function addInner(builder: EventBuilder, column: string, raw: string) {
  const end = /(?:^"|[^\\])(?:\\\\)*(\\n")$/.exec(raw)?.[1];
  if (end === undefined) return addMember(builder, column, raw);
  addText(builder, column, `${raw.slice(0, -end.length)}"`);
  builder.literal(end);
}

function addMember(builder: EventBuilder, key: string, raw: string) {
  if (raw === "null") return builder.literal(raw);
  if (NESTED.test(raw)) return builder.text(key, raw.toWellFormed());
  if (!raw.startsWith('"')) return builder.value(key, typedValue(raw), raw);
  addText(builder, key, raw);
  builder.literal('"');
}

/** Adds a string, but for the quote at its end. */
function addText(builder: EventBuilder, key: string, raw: string) {
  const inside = raw.slice(1, -1);
  builder.literal('"');
  const said = unescaped(inside);
  if (said !== null) builder.text(key, said.value, said.kind, inside);
}

interface Member {
  key: string;
  /** Of the value in the line. */
  start: number;
  end: number;
}

/** The members of the line's object, in their order; null: it is none. */
function membersOf(line: string): Member[] | null {
  const members: Member[] = [];
  let at = blanksAfter(line, 0);
  if (line[at] !== "{") return null;
  at = blanksAfter(line, at + 1);
  if (line[at] === "}") return blanksAfter(line, at + 1) === line.length ? members : null;
  for (;;) {
    const keyEnd = stringEnd(line, at);
    if (keyEnd < 0) return null;
    const key = textOf(line.slice(at, keyEnd));
    at = blanksAfter(line, keyEnd);
    if (key === null || line[at] !== ":") return null;
    const start = blanksAfter(line, at + 1);
    const end = valueEnd(line, start);
    if (end < 0) return null;
    members.push({ key, start, end });
    at = blanksAfter(line, end);
    if (line[at] === "}") return blanksAfter(line, at + 1) === line.length ? members : null;
    if (line[at] !== ",") return null;
    at = blanksAfter(line, at + 1);
  }
}

function blanksAfter(line: string, start: number): number {
  let at = start;
  for (;; at++) {
    const code = line.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return at;
  }
}

/** The end of a string with its quotes; -1: there is none. */
function stringEnd(line: string, start: number): number {
  if (line.charCodeAt(start) !== QUOTE) return -1;
  for (let at = start + 1; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
    else if (code < 0x20) return -1;
  }
  return -1;
}

/** The end of a value that is sound JSON; -1: it is none. */
function valueEnd(line: string, start: number): number {
  const first = line[start];
  if (first === '"') {
    const end = stringEnd(line, start);
    return end < 0 || textOf(line.slice(start, end)) === null ? -1 : end;
  }
  if (first === "{" || first === "[") {
    const end = nestedEnd(line, start);
    return end < 0 || !isJson(line.slice(start, end)) ? -1 : end;
  }
  let end = start;
  while (end < line.length && !/[\s,}]/.test(line[end] ?? "")) end++;
  const word = line.slice(start, end);
  return word === "null" || word === "true" || word === "false" || isNumber(word) ? end : -1;
}

/** Where the brackets are closed again; -1: nowhere. */
function nestedEnd(line: string, start: number): number {
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const character = line[at];
    if (character === '"') {
      at = stringEnd(line, at) - 1;
      if (at < 0) return -1;
    } else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1;
  }
  return -1;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the parser's way to say so
  }
}

/** The text of a JSON string with its quotes; null: its escapes are wrong. */
function textOf(raw: string): string | null {
  if (!raw.includes("\\")) return raw.slice(1, -1);
  return isJson(raw) ? String(JSON.parse(raw)) : null;
}
