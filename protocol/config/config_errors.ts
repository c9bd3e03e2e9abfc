/** Words for what is wrong in a configuration file: place, key, what was found, what is wanted. */
import { isMap, isScalar, LineCounter } from "yaml";
import type { Document } from "yaml";
import { z } from "zod";
import { nearMiss } from "./near_miss.ts";
import { counted } from "../units.ts";

/** A parsed file and what it was checked against. */
export interface CheckedFile {
  /** As the user named it. */
  path: string;
  document: Document;
  counter: LineCounter;
  schema: z.ZodType;
  /** Environment variables that stood in for the file, by key text. */
  overridden: ReadonlyMap<string, string>;
  /** What was checked, with units as they were written. */
  written: unknown;
}

/** Longer lines are broken at blanks; the rest is indented. */
const LINE_LENGTH = 92;

/** What was found is quoted up to this length. */
const FOUND_LENGTH_MAX = 60;

/**
 * The error map for zod: its message is what the schema wants, as the end of "wanted …". A message
 * given in the schema itself comes first, so it has to be worded that way too.
 */
export function wantedBy(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_value":
      return oneOf(issue.values.map(String));
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? `a ${issue.expected}`;
    case "too_small":
      return issue.inclusive === false
        ? `more than ${issue.minimum}`
        : `at least ${amount(issue.minimum, issue.origin)}`;
    case "too_big":
      return issue.inclusive === false
        ? `less than ${issue.maximum}`
        : `at most ${amount(issue.maximum, issue.origin)}`;
    case "invalid_key":
      return `as key ${issue.issues[0]?.message ?? "another text"}`;
    case "invalid_format":
      return issue.pattern === undefined ? `a text (${issue.format})` : `a text ${issue.pattern}`;
    default:
      return "another value";
  }
}

/** One error text for each thing wrong. */
export function describeIssue(issue: z.core.$ZodIssue, file: CheckedFile): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => describeUnknownKey([...issue.path, key], file));
  }
  const key = keyText(issue.path);
  const wanted = `wanted ${issue.message}`;
  const variable = file.overridden.get(key);
  const place = variable ?? `${file.path}${placeOf(issue.path, issue.input, file)} ${key}`;
  if (issue.input === undefined || issue.input === null) {
    return [wrapped(`${place}: missing; ${wanted}`)];
  }
  const hint = typeof issue.input === "string" ? didYouMean(issue.input, wordsOf(issue)) : "";
  const found = typeof issue.input === "number" ? writtenAt(file.written, issue.path) : null;
  return [wrapped(`${place}: found ${shown(found ?? issue.input)}; ${wanted}${hint}`)];
}

/** The text of which a schema has made a number: `1m`, not 60000. Null: there is none. */
function writtenAt(written: unknown, path: readonly PropertyKey[]): string | null {
  let at = written;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return null;
    at = (at as Record<PropertyKey, unknown>)[key]; // lists are records of their indices
  }
  return typeof at === "string" ? at : null;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "keys and values",
  record: "keys and values",
};

function amount(count: number | bigint, origin: string): string {
  if (origin !== "array" && origin !== "string") return String(count);
  return counted(Number(count), origin === "array" ? "item" : "character");
}

/** The words that would do: values of the schema, or the `words` that a refinement names. */
function wordsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  const words: unknown = issue.code === "custom" ? issue.params?.["words"] : null;
  return Array.isArray(words) ? words.map(String) : [];
}

function describeUnknownKey(path: readonly PropertyKey[], file: CheckedFile): string {
  const known = knownKeys(file, path.slice(0, -1));
  const place = `${file.path}${placeOfKey(path, file)} ${keyText(path)}`;
  const hint = didYouMean(String(path.at(-1)), known);
  return wrapped(`${place}: unknown key; wanted ${oneOf(known)}${hint}`);
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The keys that the schema has at a path, of several kinds those of the kind that the file says. */
function knownKeys({ schema, document }: CheckedFile, path: readonly PropertyKey[]): string[] {
  let at: JsonSchema = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  for (const key of path) {
    const next = typeof key === "number" ? at.items : at.properties?.[String(key)];
    if (typeof next !== "object" || Array.isArray(next)) return [];
    at = next;
  }
  const isOfFile = (kind: JsonSchema) =>
    Object.entries(kind.properties ?? {}).every(([key, value]) =>
      typeof value !== "object" || value.const === undefined ||
      document.getIn([...path, key]) === value.const
    );
  const kinds = (at.oneOf ?? at.anyOf ?? []).filter((kind) => typeof kind === "object");
  return Object.keys((kinds.find(isOfFile) ?? at).properties ?? {});
}

/** `:line:column` of a value; of one that is missing, `:line` of its key or else of its parent. */
function placeOf(path: readonly PropertyKey[], value: unknown, file: CheckedFile): string {
  if (value === null) return placeOfKey(path, file).replace(/:\d+$/, "");
  const found = positionOf(file.document.getIn(path, true), file.counter);
  if (found !== null) return `:${found.line}:${found.col}`;
  const parent = positionOf(file.document.getIn(path.slice(0, -1), true), file.counter);
  return `:${parent?.line ?? 1}`;
}

function placeOfKey(path: readonly PropertyKey[], file: CheckedFile): string {
  const parent = file.document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1))
    : undefined;
  const found = positionOf(pair?.key, file.counter);
  return found === null ? ":1:1" : `:${found.line}:${found.col}`;
}

function positionOf(node: unknown, counter: LineCounter): { line: number; col: number } | null {
  if (typeof node !== "object" || node === null || !("range" in node)) return null;
  return Array.isArray(node.range) ? counter.linePos(Number(node.range[0])) : null;
}

function keyText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
  return text.replace(/^\./, "") || "(whole file)";
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= FOUND_LENGTH_MAX ? text : `${text.slice(0, FOUND_LENGTH_MAX)}…`;
}

/** `a`, `a or b`, `a, b or c`. */
function oneOf(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? "no key at all";
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function didYouMean(word: string, candidates: readonly string[]): string {
  const near = nearMiss(word, candidates);
  return near === null ? "" : `. Did you mean ${near}?`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length === 0 || longer.length <= LINE_LENGTH) lines.splice(-1, 1, longer);
    else lines.push(`  ${word}`);
  }
  return lines.join("\n");
}
