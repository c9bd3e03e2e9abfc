/** The flags that say what is asked, of whom and within which limits; what gets signed. */
import { Option } from "commander";
import type { Command } from "commander";
import { packBroadcast } from "../../protocol/wire/broadcast.ts";
import { Limits } from "../../protocol/signing/claims.ts";
import type { Source } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import { parseRange } from "../../protocol/range.ts";
import { formatSelector, parseSelector } from "../../protocol/selector/selector.ts";
import type { Selector } from "../../protocol/selector/selector.ts";
import { parseBytes, parseDurationMs } from "../../protocol/units.ts";
import type { OperatorKey } from "../../protocol/signing/signature.ts";
import { askedSql } from "../../queries/library/library.ts";
import { readKeyFile } from "../access/key_file.ts";
import { signQuestion } from "../access/sign.ts";
import type { SignedQuestion } from "../access/sign.ts";

const ROWS_MAX = 100_000;
const BYTES_MAX = 64e6;

/** With --max-bytes alone the bytes are the limit, and this is as good as none. */
const ROWS_UNLIMITED = 100_000_000;

/** Those of the schema, for people. */
const BOUNDS: Readonly<Record<keyof Limits, string>> = {
  timeout_ms: "--timeout: wanted more than 0, 1h at most",
  rows_max: `--max-rows: wanted more than 0, ${ROWS_UNLIMITED} at most`,
  bytes_max: "--max-bytes: wanted more than 0, 1TB at most",
};

/** Whom to ask, and as whom. */
export interface AudienceOptions {
  on?: string;
  host?: string;
  region?: string;
  key?: string;
}

export interface QuestionOptions extends AudienceOptions {
  file?: string;
  /** Of `@name`, each `name=value`. */
  param?: string[];
  /** Tables for the hosts, each `name=file`. */
  with?: string[];
  since?: string;
  until?: string;
  source?: Source;
  timeout: string;
  maxRows?: string;
  maxBytes?: string;
  force?: true;
  explain?: true;
}

/** Adds the flags of AudienceOptions to a command. */
export function addAudienceOptions(command: Command): Command {
  return command
    .option("--on <selector>", "ask hosts by label, e.g. 'region = eu-west-1 and service = api'")
    .option("--host <names>", "ask these hosts: a,b")
    .option("--region <names>", "ask the hosts of these regions: a,b")
    .addOption(keyOption());
}

/** The flag that keyOf reads. */
export function keyOption(): Option {
  return new Option("--key <file>", "the operator key to sign with").env("LOGVEND_KEY");
}

/** The flag that says which orchestrator is asked. */
export function urlOption(): Option {
  return new Option("--url <url>", "the orchestrator").env("LOGVEND_URL")
    .default("http://127.0.0.1:8080");
}

/** Adds all flags to a command that asks one question. */
export function addQuestionOptions(command: Command): Command {
  return addSettingOptions(
    command.option("-f, --file <path>", "read the SQL from a file; - is standard input"),
  );
}

/** Adds the flags that are the same for several questions. */
export function addSettingOptions(command: Command): Command {
  return addAudienceOptions(command)
    .option(
      "--with <name=file>",
      "a small table to join: users=users.csv (tsv, json, jsonl, parquet); may be repeated",
      (one: string, before: string[] = []) => [...before, one],
    )
    .option("--since <when>", "15m, 24h, 2026-11-22, 2026-11-22T19:00:00Z or all (default: 24h)")
    .option("--until <when>", "the end of the range, likewise (default: now)")
    .addOption(
      new Option(
        "--source <source>",
        "live: what hosts hold; archive: what is archived; auto: both, each row once",
      ).choices(["auto", "live", "archive"]).default("auto"),
    )
    .option(
      "--timeout <duration>",
      "wait this long for hosts, and as long again for the merge",
      "30s",
    )
    .option("--force", "run it on hosts too where it had to be killed within the last hour; logged")
    .option("--max-rows <count>", `rows that hosts may ship (default: ${ROWS_MAX})`)
    .option("--max-bytes <size>", "bytes that hosts may ship; lifts --max-rows (default: 64MB)");
}

/** Reads, bounds and signs a question. @throws {LogvendError} usage */
export async function signedQuestion(
  sql: string | undefined,
  options: QuestionOptions,
  nowMs: number,
): Promise<SignedQuestion> {
  const key = await keyOf(options);
  return await signQuestion({
    sql: await sqlText(sql, options),
    selector: selectorText(options),
    range: parseRange({ since: options.since, until: options.until }, nowMs),
    source: options.source,
    limits: limitsOf(options),
    key,
    nowMs,
    broadcast: await broadcastOf(options),
    force: options.force,
    explain: options.explain,
  });
}

/** The same question again, exactly: what was read for it counts. @throws {LogvendError} usage */
export async function signedAgain(
  { sql, claims: { selector, range, source, limits, now, force }, broadcast }: SignedQuestion,
  options: { key?: string },
  nowMs: number,
): Promise<SignedQuestion> {
  const key = await keyOf(options);
  return await signQuestion({
    ...{ sql, selector, range, source, limits, key, nowMs, now, broadcast, force },
  });
}

/** The tables of --with, packed; read when there are some, for it takes a DuckDB. */
export async function broadcastOf(
  { with: files = [] }: QuestionOptions,
): Promise<string | undefined> {
  if (files.length === 0) return undefined;
  const { readBroadcast } = await import("./broadcast_file.ts");
  return await packBroadcast(await readBroadcast(files));
}

/** The key to sign with. @throws {LogvendError} usage */
export async function keyOf({ key }: { key?: string }): Promise<OperatorKey> {
  if (key !== undefined) return await readKeyFile(key);
  throw new LogvendError(
    "usage",
    "Queries are signed: name your key with --key or LOGVEND_KEY (logvend key new makes one)",
  );
}

/** --on, --host and --region together: every one of them must match. */
export function selectorText({ on, host, region }: AudienceOptions): string {
  const parts: Selector[] = [
    ...(on === undefined ? [] : [parseSelector(on)]),
    ...oneOf("host", host),
    ...oneOf("region", region),
  ];
  return formatSelector({ kind: "and", of: parts });
}

function oneOf(key: string, list: string | undefined): Selector[] {
  if (list === undefined) return [];
  const values = list.split(",").map((value) => value.trim()).filter((value) => value !== "");
  if (values.length === 0) throw new LogvendError("usage", `--${key}: wanted names, e.g. a,b`);
  return [{ kind: "in", key, values }];
}

/** --timeout, --max-rows and --max-bytes. @throws {LogvendError} usage */
export function limitsOf({ timeout, maxRows, maxBytes }: QuestionOptions): Limits {
  const limits = {
    timeout_ms: parseDurationMs(timeout, "--timeout"),
    rows_max: rowsMax(maxRows, maxBytes !== undefined),
    bytes_max: maxBytes === undefined ? BYTES_MAX : parseBytes(maxBytes, "--max-bytes"),
  };
  const { shape } = Limits;
  const outOfBounds = Limits.keyof().options.find((name) =>
    !shape[name].safeParse(limits[name]).success
  );
  if (outOfBounds !== undefined) throw new LogvendError("usage", BOUNDS[outOfBounds]);
  return limits;
}

function rowsMax(maxRows: string | undefined, unlimited: boolean): number {
  if (maxRows === undefined) return unlimited ? ROWS_UNLIMITED : ROWS_MAX;
  if (/^\d+$/.test(maxRows)) return Number(maxRows);
  throw new LogvendError("usage", `--max-rows ${maxRows}: wanted a number, e.g. 500000`);
}

/** The SQL as it is given, of `@name` that of the library. @throws {LogvendError} usage */
export async function sqlText(
  sql: string | undefined,
  { file, param }: Pick<QuestionOptions, "file" | "param">,
): Promise<string> {
  return askedSql(await givenText(sql, file), param);
}

async function givenText(sql: string | undefined, file: string | undefined): Promise<string> {
  if (sql !== undefined && file !== undefined) {
    throw new LogvendError("usage", "Give the SQL as an argument or with -f, not both");
  }
  if (sql !== undefined && sql !== "-") return sql;
  if (sql === "-" || file === "-") return await new Response(Deno.stdin.readable).text();
  if (file === undefined) {
    throw new LogvendError(
      "usage",
      "No SQL: give it or @NAME as an argument, or with -f FILE (- is stdin)",
    );
  }
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw new LogvendError("usage", `Cannot read ${file}: ${reasonOf(cause)}`, { cause });
  }
}
