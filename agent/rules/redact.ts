/** Replaces values that must not be stored: by a mask, or by a keyed hash that still groups them. */
import { createHmac } from "node:crypto";
import { LogvendError } from "../../protocol/errors.ts";
import { secretText } from "../secret.ts";
import type { Secret } from "../secret.ts";
import { behindEscapes } from "./behind_escapes.ts";

/** Columns that a rule can replace: texts that a client or user can be known by. */
export const REDACTABLE = [
  "remote_addr",
  "remote_user",
  "request",
  "http_referer",
  "http_user_agent",
] as const;

/** One of those. */
export type RedactableField = typeof REDACTABLE[number];

/** A rule as configured: of a field or of a pattern. */
export interface RedactRule {
  field?: string | undefined;
  pattern?: string | undefined;
  by: "mask" | "hash";
  /** With `hash` only. */
  key?: Secret | undefined;
}

/** What the rules of a stream do. */
export interface Redactor {
  /** A line with every match of a pattern replaced, of quoted strings with escapes too. */
  text(line: string): string;
  /** By field, in lower case, what its values become. */
  fields: ReadonlyMap<string, (value: string) => string>;
}

const MASK = "***";

/** 64 bits: two of a thousand million values collide with a probability of 3 %. */
const HASH_DIGITS = 16;

const KEY_BYTES_MIN = 16;

/** Hashes kept for values that come again; each takes some 100 bytes. */
const HASHES_MAX = 10_000;

/** A value that says that there is none gives nothing away. */
const NOTHING: ReadonlySet<string> = new Set(["", "-"]);

/** Null without rules. @throws {LogvendError} bad_config, when a key cannot be had */
export function createRedactor(rules: readonly RedactRule[]): Redactor | null {
  if (rules.length === 0) return null;
  const patterns: { pattern: RegExp; replace: (value: string) => string }[] = [];
  const fields = new Map<string, (value: string) => string>();
  for (const rule of rules) {
    const replace = replacement(rule);
    if (rule.pattern !== undefined) {
      patterns.push({ pattern: new RegExp(rule.pattern, "gu"), replace });
    }
    if (rule.field !== undefined) {
      fields.set(rule.field.toLowerCase(), (value) => NOTHING.has(value) ? value : replace(value));
    }
  }
  const text = (line: string) =>
    patterns.reduce(
      (redacted, { pattern, replace }) =>
        behindEscapes(redacted, (part) => part.replaceAll(pattern, (match) => replace(match))),
      line,
    );
  return { text, fields };
}

/** What is wanted instead of a pattern; null: it is right. */
export function patternProblem(pattern: string): string | null {
  try {
    return new RegExp(pattern, "u").test("") ? "a pattern that does not match an empty text" : null;
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split(": ").slice(-1);
    return `a JavaScript regular expression (${reason})`;
  }
}

/** The key of a hash. @throws {LogvendError} bad_config, when it is missing or short */
export function secretOf(reference: Secret): Uint8Array {
  const { file, env } = reference;
  const place = file ?? `the environment variable ${env}`;
  const key = new TextEncoder().encode(secretText(reference));
  if (key.length >= KEY_BYTES_MIN) return key;
  throw new LogvendError(
    "bad_config",
    `The key in ${place} has ${key.length} bytes; ${KEY_BYTES_MIN} or more keep values from being guessed`,
  );
}

function replacement({ by, key }: RedactRule): (value: string) => string {
  return by === "mask" || key === undefined ? () => MASK : keyedHash(secretOf(key));
}

function keyedHash(key: Uint8Array): (value: string) => string {
  const known = new Map<string, string>();
  return (value) => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const digits = createHmac("sha256", key).update(value).digest("hex").slice(0, HASH_DIGITS);
    if (known.size >= HASHES_MAX) known.clear();
    known.set(value, digits);
    return digits;
  };
}
