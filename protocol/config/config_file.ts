/** YAML configuration: parsed, checked by a zod schema, errors with file, line and key. */
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { describeIssue, wantedBy } from "./config_errors.ts";
import type { CheckedFile } from "./config_errors.ts";
import { LogvendError } from "../errors.ts";
import { reasonOf } from "../file_error.ts";
import { parseBytes, parseDurationMs } from "../units.ts";

/** A duration in YAML: `10s`, `24h`; milliseconds in the program. */
export const Duration = quantity(parseDurationMs, "a duration such as 250ms, 10s, 15m, 24h or 7d");

/** A size in YAML: `64MB`; bytes in the program. */
export const Bytes = quantity(parseBytes, "a size such as 512KiB, 64MB or 2GB");

const BROKER_URL_WANTED = "a URL, e.g. mqtts://broker.example:8883";

/** The URL of an MQTT broker. */
export const BrokerUrl = z.string(BROKER_URL_WANTED).refine(
  (text) => /^(mqtts?|wss?):$/.test(URL.parse(text)?.protocol ?? ""),
  BROKER_URL_WANTED,
);

/** What stands in for keys of the file, and which of them are paths. */
export interface ReadOptions {
  /** Environment variables that override keys: `{ LOGVEND_REGION: ["region"] }`. */
  environment?: Readonly<Record<string, readonly string[]>>;
  /** Keys that hold paths, made absolute from the file's folder; `*` stands for every item. */
  paths?: readonly (readonly string[])[];
  /** What to do where there is no such file. @default to give another one */
  otherwise?: string | undefined;
}

/** What is wrong with a value that its schema lets through. */
export interface ConfigProblem {
  /** Keys and indices that lead to it. */
  path: PropertyKey[];
  found: unknown;
  wanted: string;
}

/**
 * Reads and checks a YAML file. `check` looks for what a schema cannot tell.
 * @throws {LogvendError} bad_config, every error at once
 */
export async function readConfig<T>(
  path: string,
  schema: z.ZodType<T>,
  options: ReadOptions = {},
  check: (config: T) => Promise<ConfigProblem[]> = () => Promise.resolve([]),
): Promise<T> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const { otherwise = "give -c CONFIG" } = options;
    const hint = cause instanceof Deno.errors.NotFound ? `; ${otherwise}` : "";
    const message = `Cannot read ${path}: ${reasonOf(cause)}${hint}`;
    throw new LogvendError("bad_config", message, { cause });
  }
  const { config, file } = parse({ path, text, schema, options, env: Deno.env.toObject() });
  const issues = (await check(config)).map((problem) => ({
    code: "custom" as const, // as a schema of its own would say it
    path: problem.path,
    message: problem.wanted,
    input: problem.found,
  }));
  if (issues.length > 0) throw wrong(issues, file);
  return config;
}

interface ParseRequest<T> {
  path: string;
  text: string;
  schema: z.ZodType<T>;
  options: ReadOptions;
  env: Readonly<Record<string, string>>;
}

/** The pure half of readConfig. @throws {LogvendError} bad_config */
export function parseConfig<T>(request: ParseRequest<T>): T {
  return parse(request).config;
}

function parse<T>(request: ParseRequest<T>): { config: T; file: CheckedFile } {
  const { path, text, schema, options, env } = request;
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  if (document.errors.length > 0) {
    throw failure(document.errors.map((error) => {
      const { line, col } = counter.linePos(error.pos[0]);
      return `${path}:${line}:${col} ${error.message.split("\n")[0]?.replace(/ at line.*$/, "")}`;
    }));
  }
  const value: unknown = document.toJS() ?? {};
  const overridden = overrideFromEnvironment(value, options.environment ?? {}, env);
  const parsed = schema.safeParse(value, { reportInput: true, error: wantedBy });
  const file = { path, document, counter, schema, overridden, written: value };
  if (!parsed.success) throw wrong(parsed.error.issues, file);
  for (const keys of options.paths ?? []) {
    absolute(parsed.data, keys, dirname(resolve(path)));
  }
  return { config: parsed.data, file };
}

function wrong(issues: readonly z.core.$ZodIssue[], file: CheckedFile): LogvendError {
  const lines = issues.flatMap((issue) => describeIssue(issue, file));
  return failure(lines.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })));
}

function failure(lines: readonly string[]): LogvendError {
  const count = lines.length === 1 ? "1 error" : `${lines.length} errors`;
  return new LogvendError("bad_config", `${lines.join("\n")}\n${count}; nothing started (exit 78)`);
}

/** Sets keys from variables; returns the variables by the text of the key that they set. */
function overrideFromEnvironment(
  value: unknown,
  variables: Readonly<Record<string, readonly string[]>>,
  env: Readonly<Record<string, string>>,
): Map<string, string> {
  const overridden = new Map<string, string>();
  for (const [name, [key]] of Object.entries(variables)) {
    const text = env[name];
    if (text === undefined || key === undefined || !isRecord(value)) continue;
    value[key] = text;
    overridden.set(key, name);
  }
  return overridden;
}

function absolute(value: unknown, keys: readonly string[], folder: string) {
  const [key, ...rest] = keys;
  if (key === undefined || value === null || typeof value !== "object") return;
  const container = value as Record<string, unknown>; // arrays are records of their indices
  for (const name of key === "*" ? Object.keys(container) : [key]) {
    const item = container[name];
    if (rest.length > 0) absolute(item, rest, folder);
    else if (typeof item === "string") container[name] = absolutePath(folder, item);
  }
}

/** Of a path, or of a URL `file:PATH`; other URLs are nobody's paths. */
function absolutePath(folder: string, path: string): string {
  if (/^[a-z0-9]+:\/\/(?!\/)/.test(path)) return path;
  const rest = /^file:(.+)$/.exec(path)?.[1];
  return rest === undefined ? resolve(folder, path) : `file:${resolve(folder, rest)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A schema for a number with a unit, or a plain number (not below 0) in the smallest unit. */
function quantity(parse: (text: string) => number, wanted: string) {
  return z.union([z.string(), z.number().nonnegative()], wanted).transform((value, context) => {
    if (typeof value === "number") return value;
    try {
      return parse(value);
    } catch {
      context.addIssue({ code: "custom", message: wanted, input: value });
      return z.NEVER;
    }
  });
}
