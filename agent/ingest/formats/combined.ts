/**
 * The combined log format of nginx and Apache, with or without a trailing request time, and the
 * common format, which ends after the bytes:
 * `addr ident user [time] "request" status bytes[ "referer" "user agent"[ seconds]]`.
 * Fields after those are not understood; such lines are kept whole.
 * https://nginx.org/en/docs/http/ngx_http_log_module.html
 * https://httpd.apache.org/docs/2.4/logs.html
 */
import { splitRequest } from "./request.ts";
import type { AccessRow, RejectReason } from "./row.ts";
import { NGINX_TIME_LENGTH } from "./time.ts";
import type { TimeParser } from "./time.ts";

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const RIGHT_BRACKET = 0x5d;

/** A decimal fraction standing alone: nginx's $request_time, in seconds. */
const SECONDS = / (\d{1,6}\.\d{1,9})(?= |$)/;

/** Which of the two a line may be. */
export type AccessFormat = "combined" | "common" | "either";

/** Parses one line without its end. `timeOf` reads nginx's time. */
export function parseAccess(
  line: string,
  format: AccessFormat,
  timeOf: TimeParser,
): AccessRow | RejectReason {
  const addressEnd = line.indexOf(" ");
  const identEnd = line.indexOf(" ", addressEnd + 1);
  if (addressEnd <= 0 || identEnd < 0) return "no_format";
  const userEnd = beforeTime(line, identEnd + 1);
  if (userEnd < 0) return hasBrackets(line, identEnd + 1) ? "bad_time" : "no_format";
  const timeEnd = userEnd + 2 + NGINX_TIME_LENGTH;

  const requestStart = timeEnd + 3;
  if (line.charCodeAt(requestStart - 1) !== QUOTE) return "no_format";
  const requestEnd = closingQuote(line, requestStart);
  const statusEnd = requestEnd < 0 ? -1 : line.indexOf(" ", requestEnd + 2);
  if (statusEnd < 0) return "no_format";
  const blank = line.indexOf(" ", statusEnd + 1);
  const isCommon = blank < 0;
  if (format !== "either" && isCommon !== (format === "common")) return "no_format";
  const bytesEnd = isCommon ? line.length : blank;
  const client = isCommon ? NO_CLIENT : clientOf(line, bytesEnd);
  if (client === null) return "no_format";

  const time = timeOf(line.slice(userEnd + 2, timeEnd));
  if (time === null) return "bad_time";
  const status = line.slice(requestEnd + 2, statusEnd);
  if (!/^\d{3}$/.test(status)) return "bad_status";
  const bytes = line.slice(statusEnd + 1, bytesEnd);
  if (bytes !== "-" && !/^\d{1,18}$/.test(bytes)) return "no_format";

  const request = line.slice(requestStart, requestEnd);
  const parts = splitRequest(request);
  return {
    ts: time.ts,
    time_zone_min: time.zoneMin,
    remote_addr: line.slice(0, addressEnd),
    remote_user: line.slice(identEnd + 1, userEnd),
    http_method: parts === null ? null : parts.method,
    request: parts === null ? request : parts.target,
    http_version: parts === null ? null : parts.version,
    status: Number(status),
    body_bytes_sent: bytes === "-" ? null : BigInt(bytes),
    ...client,
  };
}

/** What the combined format adds to the common one. */
type Client = Pick<
  AccessRow,
  "http_referer" | "http_user_agent" | "request_time_ms" | "layout"
>;

const NO_CLIENT: Client = {
  http_referer: null,
  http_user_agent: null,
  request_time_ms: null,
  layout: "common",
};

/** Reads ` "referer" "user agent"[ seconds]`; null: there is something else. */
function clientOf(line: string, start: number): Client | null {
  if (!line.startsWith(' "', start)) return null;
  const refererEnd = closingQuote(line, start + 2);
  if (refererEnd < 0 || !line.startsWith(' "', refererEnd + 1)) return null;
  const agentEnd = closingQuote(line, refererEnd + 3);
  if (agentEnd < 0) return null;
  const more = line.slice(agentEnd + 1);
  if (more !== "" && !more.startsWith(" ")) return null;
  const seconds = more === "" ? undefined : SECONDS.exec(more)?.[1];
  return {
    http_referer: line.slice(start + 2, refererEnd),
    http_user_agent: line.slice(refererEnd + 3, agentEnd),
    request_time_ms: seconds === undefined ? null : Math.round(Number(seconds) * 1_000),
    layout: seconds === undefined ? "combined" : "combined_time",
  };
}

/** Where ` [time] ` begins; the user before it may hold blanks and brackets. */
function beforeTime(line: string, start: number): number {
  for (let at = line.indexOf(" [", start); at >= 0; at = line.indexOf(" [", at + 1)) {
    if (line.charCodeAt(at + 2 + NGINX_TIME_LENGTH) === RIGHT_BRACKET) return at;
  }
  return -1;
}

function hasBrackets(line: string, start: number): boolean {
  const open = line.indexOf(" [", start);
  return open >= 0 && line.indexOf('] "', open) >= 0;
}

/** The next quote that no backslash escapes: Apache writes `\"`, nginx `\x22`. */
function closingQuote(line: string, start: number): number {
  for (let quote = line.indexOf('"', start); quote >= 0; quote = line.indexOf('"', quote + 1)) {
    let first = quote;
    while (first > start && line.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote;
  }
  return -1;
}
