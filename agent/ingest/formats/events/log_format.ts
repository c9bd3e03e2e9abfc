/**
 * Access logs in the form of an nginx log_format, pasted from its configuration.
 * https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
 */
import type { Column } from "../../../../protocol/wire/messages.ts";
import { splitRequest } from "../request.ts";
import { columnName, EventBuilder } from "./builder.ts";
import type { EventParser } from "./event.ts";
import { unescaped } from "./escapes.ts";
import type { Unescaped } from "./escapes.ts";
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

/** In front of these a value of another variable may stand without a blank. */
const PATHS = new Set(["request_uri", "uri", "document_uri"]);

/** Of these there is nothing, or a question mark and what follows it. */
const QUERY = new Set(["is_args", "args", "query_string"]);

/** Of several upstreams there are several values, with blanks between. */
export const SEVERAL = /^upstream_(?!http_|cookie_|trailer_|cache_)/;
const SEVERAL_VALUES = '[^\\s,"]*(?:(?:, | : )[^\\s,"]+)*';

const DIRECTIVE = /^\s*(?:log_format\s+\S+\s+)?(?:escape=(\w+)\s+)?/;
const QUOTED = /(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*/gs;

const REQUEST_TIME = /^(0|[1-9]\d{0,5})\.(\d{3})$/;

/** A text, or a variable. */
type Token = { text: string } | { variable: string };

/** What is wrong with a log_format; null: nothing. */
export function logFormatProblem(format: string): string | null {
  if (directiveOf(format) === null) {
    return "all of the directive, log_format NAME '...' '...';, or the text between its quotes";
  }
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
  /** Whether values may have escapes of JSON. */
  isJson: boolean;
  parseTime: EventTimeParser;
}

/** The parts of a sound format. */
export function logFormatParts(format: string): LogFormatParts {
  const tokens = tokensOf(format);
  return {
    variables: variablesOf(format),
    isApart: tokens.every((token, i) => "text" in token || !("variable" in (tokens[i + 1] ?? {}))),
    isJson: directiveOf(format)?.isJson ?? false,
    parseTime: TIMES[timeVariable(format)] ?? (() => null),
  };
}

/** Reads lines of a sound format. */
export function logFormat(format: string): EventParser {
  const tokens = tokensOf(format);
  const time = timeVariable(format);
  const parseTime = TIMES[time] ?? (() => null);
  const isJson = directiveOf(format)?.isJson ?? false;
  const quick = quickPattern(tokens);
  return (line) => {
    const values = quick.exec(line)?.slice(1) ?? valuesBetween(tokens, line);
    if (values === null) return "no_format";
    const builder = new EventBuilder();
    let at = 0;
    for (const token of tokens) {
      if ("text" in token) {
        builder.literal(token.text);
        continue;
      }
      const value = values[at++] ?? "";
      if (token.variable !== time) {
        addVariable(builder, { name: token.variable, text: value, isJson });
      } else {
        const read = parseTime(value);
        if (read === null) return "bad_time";
        builder.time(read, value);
      }
    }
    return builder.build();
  };
}

interface Value {
  name: string;
  text: string;
  /** Whether it is between quotes of JSON. */
  isJson: boolean;
}

function addVariable(builder: EventBuilder, { name, text, isJson }: Value) {
  const said: Unescaped = (isJson ? unescaped(text) : null) ?? { value: text, kind: "text" };
  if (name === "request") return addRequest(builder, said, text);
  if (name === "request_time") return addRequestTime(builder, text);
  const column = COLUMNS[name] ?? name;
  const type = typeOf(name);
  if (type === "VARCHAR") return builder.text(column, said.value, said.kind, text);
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

function addRequest(builder: EventBuilder, { value, kind }: Unescaped, raw: string) {
  const parts = splitRequest(value);
  if (parts === null) return builder.text("request", value, kind, raw);
  builder.text("http_method", parts.method, kind);
  builder.literal(" ");
  builder.text("request", parts.target, kind);
  builder.literal(" ");
  builder.text("http_version", parts.version, kind);
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
  const text = directiveOf(format)?.text ?? format;
  return [...text.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))|[^$]+|\$/g)].map(
    ([text, braced, bare]) => {
      const variable = braced ?? bare;
      return variable === undefined ? { text } : { variable };
    },
  );
}

/**
 * The text of a directive as it stands in nginx.conf, `log_format main 'one part ' "and another";`,
 * or of its quoted parts; another text is that of the format itself. Null: it is neither.
 */
function directiveOf(format: string): { text: string; isJson: boolean } | null {
  const [head = "", escape] = DIRECTIVE.exec(format) ?? [];
  const isJson = escape === "json";
  const rest = format.slice(head.length).trim().replace(/;$/, "").trimEnd();
  const parts = [...rest.matchAll(QUOTED)];
  if (parts.length > 0 && parts.map(([part]) => part).join("") === rest) {
    const text = parts.map(([, one, two]) => (one ?? two ?? "").replaceAll(/\\(['"\\])/g, "$1"))
      .join("");
    return { text, isJson: isJson || text.startsWith("{") };
  }
  return head === "" ? { text: format, isJson: format.startsWith("{") } : null;
}

/** A value ends at the first character of what follows it. */
function quickPattern(tokens: readonly Token[]): RegExp {
  const source = tokens.map((token, i) => {
    if ("text" in token) return escaped(token.text);
    if (token.variable === "is_args") return "(\\??)";
    if (SEVERAL.test(token.variable)) return `(${SEVERAL_VALUES})`;
    const ends = endsOf(tokens.slice(i + 1));
    return ends === null ? "(.*?)" : ends === "" ? "(.*)" : `([^${ends}]*)`;
  });
  return new RegExp(`^${source.join("")}$`, "s");
}

/** The characters that end a value, for a class of them; null: any may. */
function endsOf(following: readonly Token[]): string | null {
  let ends = "";
  for (const token of following) {
    if ("text" in token) return ends + (token.text[0]?.replace(/[\\\]^-]/, "\\$&") ?? "");
    if (PATHS.has(token.variable)) return `${ends}/`;
    if (!QUERY.has(token.variable)) return null;
    ends += "?";
  }
  return ends;
}

/** Values that end where the text that follows them first occurs. */
function valuesBetween(tokens: readonly Token[], line: string): string[] | null {
  const values: string[] = [];
  let at = 0;
  let open = 0;
  const end = (position: number) => {
    for (; open > 1; open--) values.push(""); // nothing says where one ends and the next begins
    if (open-- === 1) values.push(line.slice(at, position));
    open = 0;
  };
  for (const [i, token] of tokens.entries()) {
    if ("variable" in token) {
      open++;
      continue;
    }
    const { text } = token;
    const found = i === tokens.length - 1 ? line.length - text.length : line.indexOf(text, at);
    if (found < at || (open === 0 && found > at) || !line.startsWith(text, found)) return null;
    end(found);
    at = found + text.length;
  }
  if (open === 0 && at < line.length) return null;
  end(line.length);
  return values;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
