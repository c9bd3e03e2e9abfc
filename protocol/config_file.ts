/** YAML configuration: parsed, checked by a zod schema, errors with file, line and key. */
import { dirname, isAbsolute, join } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import type { Document } from "yaml";
import { z } from "zod";
import { LogvendError, messageOf } from "./errors.ts";
import { parseBytes, parseDurationMs } from "./units.ts";

/** A duration in YAML: `10s`, `24h`; milliseconds in the program. */
export const Duration = z.union([z.string(), z.number()]).transform((value, context) =>
  converted(() => typeof value === "number" ? value : parseDurationMs(value), context)
);

/** A size in YAML: `64MB`; bytes in the program. */
export const Bytes = z.union([z.string(), z.number()]).transform((value, context) =>
  converted(() => typeof value === "number" ? value : parseBytes(value), context)
);

/** The URL of an MQTT broker. */
export const BrokerUrl = z.string().refine(
  (text) => /^(mqtts?|wss?):$/.test(URL.parse(text)?.protocol ?? ""),
  "a URL, e.g. mqtts://broker.example:8883",
);

export interface ReadOptions {
  /** Environment variables that override keys: `{ LOGVEND_REGION: ["region"] }`. */
  environment?: Readonly<Record<string, readonly string[]>>;
  /** Keys that hold paths, made absolute from the file's folder; `*` stands for every item. */
  paths?: readonly (readonly string[])[];
}

/** Reads and checks a YAML file. @throws {LogvendError} bad_config, every error at once */
export async function readConfig<T>(
  path: string,
  schema: z.ZodType<T>,
  options: ReadOptions = {},
): Promise<T> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new LogvendError("bad_config", `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
  return parseConfig({ path, text, schema, options, env: Deno.env.toObject() });
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
  overrideFromEnvironment(value, options.environment ?? {}, env);
  const parsed = schema.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    throw failure(parsed.error.issues.flatMap((issue) => describe(issue, document, counter, path)));
  }
  for (const keys of options.paths ?? []) {
    absolute(parsed.data, keys, dirname(path));
  }
  return parsed.data;
}

function failure(lines: readonly string[]): LogvendError {
  const count = lines.length === 1 ? "1 error" : `${lines.length} errors`;
  return new LogvendError("bad_config", `${lines.join("\n")}\n${count}; nothing started (exit 78)`);
}

function describe(
  issue: z.core.$ZodIssue,
  document: Document,
  counter: LineCounter,
  file: string,
): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const at = position(document, counter, [...issue.path, key]);
      return `${file}${at} ${keyText([...issue.path, key])}: unknown key; ` +
        "see docs/configuration.md for those that exist";
    });
  }
  const at = position(document, counter, issue.path);
  const wanted = `wanted ${wantedBy(issue)}`;
  const found = issue.input === undefined ? "missing" : `found ${JSON.stringify(issue.input)}`;
  return [`${file}${at} ${keyText(issue.path)}: ${found}; ${wanted}`];
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list",
  object: "keys and values",
};

/** What the schema asks for, in words. */
function wantedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_value":
      return issue.values.map(String).join(" or ");
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? `a ${issue.expected}`;
    case "too_small":
      return `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "invalid_union":
      return "a text such as 10s, or a number";
    default:
      return issue.message;
  }
}

/** `:line:column` of the nearest node that the file has. */
function position(document: Document, counter: LineCounter, path: readonly PropertyKey[]): string {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    const range = node !== null && typeof node === "object" && "range" in node ? node.range : null;
    if (Array.isArray(range)) {
      const { line, col } = counter.linePos(range[0]);
      return `:${line}:${col}`;
    }
  }
  return ":1";
}

function keyText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
  return text.replace(/^\./, "") || "(whole file)";
}

function overrideFromEnvironment(
  value: unknown,
  variables: Readonly<Record<string, readonly string[]>>,
  env: Readonly<Record<string, string>>,
) {
  for (const [name, keys] of Object.entries(variables)) {
    const text = env[name];
    const key = keys[0];
    if (text !== undefined && key !== undefined && isRecord(value)) value[key] = text;
  }
}

function absolute(value: unknown, keys: readonly string[], folder: string) {
  const [key, ...rest] = keys;
  if (key === undefined || value === null || typeof value !== "object") return;
  const container = value as Record<string, unknown>; // arrays are records of their indices
  for (const name of key === "*" ? Object.keys(container) : [key]) {
    const item = container[name];
    if (rest.length > 0) absolute(item, rest, folder);
    else if (typeof item === "string" && !isAbsolute(item)) container[name] = join(folder, item);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function converted(convert: () => number, context: z.RefinementCtx): number {
  try {
    return convert();
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
}
