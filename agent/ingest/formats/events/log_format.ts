/**
 * Access logs in the form of an nginx log_format, pasted from its configuration.
 * https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
 */
import type { Column } from "../../../../protocol/messages.ts";
import { splitRequest } from "../request.ts";
import { columnName, EventBuilder } from "./builder.ts";
import type { EventParser } from "./event.ts";
import { epochText, isoTime, nginxTime } from "./event_time.ts";
import type { EventTimeParser } from "./event_time.ts";
import { typedValue } from "./values.ts";

/** Variables that are the time of a line. */
const TIMES: Readonly<Record<string, EventTimeParser>> = {
  time_local: nginxTime,
  time_iso8601: isoTime,
  msec: epochText,
};

/** Variables whose columns have the names of access logs. */
const COLUMNS: Readonly<Record<string, string>> = {
  request_method: "http_method",
  request_uri: "request",
  server_protocol: "http_version",
};

/** Seconds, of several upstreams with commas or colons between. */
const SECONDS = /^(upstream_\w+|session|connection)_time$/;
const WHOLES = new Set([
  "body_bytes_sent",
  "bytes_sent",
  "bytes_received",
  "connection",
  "connection_requests",
  "connections_active",
  "content_length",
  "pid",
  "remote_port",
  "request_length",
  "server_port",
]);

/** Of a column of that type: more is no status. */
export const INTEGER_MAX = 999_999_999;

const REQUEST_TIME = /^(0|[1-9]\d{0,5})\.(\d{3})$/;

/** A text, or a variable. */
type Token = { text: string } | { variable: string };

/** What is wrong with a log_format; null: nothing. */
export function logFormatProblem(format: string): string | null {
  const variables = variablesOf(format);
  if (variables.length === 0) return "a log_format with variables like $remote_addr";
  return variables.some((name) => name in TIMES)
    ? null
    : "a log_format with $time_local, $time_iso8601 or $msec";
}

/** The columns that it has beside those of all access logs. */
export function logFormatColumns(format: string): Column[] {
  return variablesOf(format).filter((name) => name !== "request" && name !== "request_time")
    .filter((name) => name !== timeVariable(format))
    .flatMap((name) => {
      const column = columnName(COLUMNS[name] ?? name);
      return column === null ? [] : [{ name: column, type: typeOf(name) }];
    });
}

/** What a scanner of bytes goes by. */
export interface LogFormatParts {
  variables: string[];
  /** Whether there is a text between any two variables. */
  isApart: boolean;
  parseTime: EventTimeParser;
}

/** The parts of a sound format. */
export function logFormatParts(format: string): LogFormatParts {
  const tokens = tokensOf(format);
  return {
    variables: variablesOf(format),
    isApart: tokens.every((token, i) => "text" in token || !("variable" in (tokens[i + 1] ?? {}))),
    parseTime: TIMES[timeVariable(format)] ?? (() => null),
  };
}

/** Reads lines of a sound format. */
export function logFormat(format: string): EventParser {
  const tokens = tokensOf(format);
  const time = timeVariable(format);
  const parseTime = TIMES[time] ?? (() => null);
  const quick = pattern(tokens, true);
  const thorough = pattern(tokens, false);
  return (line) => {
    const values = quick.exec(line) ?? thorough.exec(line);
    if (values === null) return "no_format";
    const builder = new EventBuilder();
    let at = 1;
    for (const token of tokens) {
      if ("text" in token) {
        builder.literal(token.text);
        continue;
      }
      const value = values[at++] ?? "";
      if (token.variable !== time) addVariable(builder, token.variable, value);
      else {
        const read = parseTime(value);
        if (read === null) return "bad_time";
        builder.time(read, value);
      }
    }
    return builder.build();
  };
}

function addVariable(builder: EventBuilder, name: string, text: string) {
  if (name === "request") return addRequest(builder, text);
  if (name === "request_time") return addRequestTime(builder, text);
  const column = COLUMNS[name] ?? name;
  const type = typeOf(name);
  if (type === "VARCHAR") return builder.text(column, text);
  if (text === "-" || text === "") return builder.literal(text);
  const typed = typedValue(text);
  if (type === "INTEGER" && !(Math.abs(Number(text)) <= INTEGER_MAX)) {
    builder.literal(text);
    return builder.notBuilt();
  }
  if (typed.type === "BIGINT") return builder.value(column, { ...typed, type }, text);
  if (type === "DOUBLE") {
    const sum = sumOf(text);
    if (typed.type === "DOUBLE") return builder.value(column, typed, text);
    if (sum !== null) return builder.value(column, { type, value: sum, kind: null }, text);
  }
  builder.literal(text);
  builder.notBuilt();
}

/** Seconds of all upstreams that were asked. */
function sumOf(text: string): number | null {
  const parts = text.split(/[,:] ?| /).filter((part) => part !== "" && part !== "-").map(Number);
  if (parts.length === 0 || parts.some(Number.isNaN)) return null;
  return Math.round(parts.reduce((sum, part) => sum + part, 0) * 1_000) / 1_000;
}

function addRequest(builder: EventBuilder, text: string) {
  const parts = splitRequest(text);
  if (parts === null) return builder.text("request", text);
  builder.text("http_method", parts.method);
  builder.literal(" ");
  builder.text("request", parts.target);
  builder.literal(" ");
  builder.text("http_version", parts.version);
}

function addRequestTime(builder: EventBuilder, text: string) {
  const match = REQUEST_TIME.exec(text);
  const seconds = Number(text);
  if (match === null) {
    builder.literal(text);
    if (text === "-" || text === "") return;
    builder.notBuilt();
    if (seconds >= 0 && seconds < 2e6) builder.requestTime(Math.round(seconds * 1_000), null, text);
    return;
  }
  const [, whole, thousandths] = match;
  builder.requestTime(Number(whole) * 1_000 + Number(thousandths), "seconds", text);
}

function typeOf(variable: string): "INTEGER" | "BIGINT" | "DOUBLE" | "VARCHAR" {
  if (variable === "status") return "INTEGER";
  if (WHOLES.has(variable)) return "BIGINT";
  return SECONDS.test(variable) ? "DOUBLE" : "VARCHAR";
}

function timeVariable(format: string): string {
  return variablesOf(format).find((name) => name in TIMES) ?? "";
}

function variablesOf(format: string): string[] {
  return tokensOf(format).flatMap((token) => "variable" in token ? [token.variable] : []);
}

function tokensOf(format: string): Token[] {
  return [...unquoted(format).matchAll(/\$\{?([A-Za-z_]\w*)\}?|[^$]+|\$/g)].map(
    ([text, variable]) => variable === undefined ? { text } : { variable },
  );
}

/** As it stands in nginx.conf: `log_format main 'one part ' 'and another';`. */
function unquoted(format: string): string {
  const text = format.trim().replace(/^log_format\s+\S+\s+(escape=\w+\s+)?/, "").replace(/;$/, "");
  const quoted = [...text.matchAll(/'((?:[^'\\]|\\.)*)'\s*/g)];
  const isAll = quoted.length > 0 && quoted.map(([part]) => part).join("") === text;
  return isAll ? quoted.map(([, part = ""]) => part.replaceAll("\\'", "'")).join("") : format;
}

/** @param isQuick a value ends at the first character of what follows it */
function pattern(tokens: readonly Token[], isQuick: boolean): RegExp {
  const source = tokens.map((token, i) => {
    if ("text" in token) return escaped(token.text);
    const next = tokens[i + 1];
    if (next === undefined) return "(.*)";
    return isQuick && "text" in next ? `([^${classOf(next.text)}]*)` : "(.*?)";
  });
  return new RegExp(`^${source.join("")}$`, "s");
}

function classOf(text: string): string {
  return text[0]?.replace(/[\\\]^-]/, "\\$&") ?? "";
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
