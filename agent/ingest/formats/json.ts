/** Access logs as JSON lines with nginx's variable names. Fields beyond the columns stay in the line. */
import { splitRequest } from "./request.ts";
import type { AccessRow, RejectReason } from "./row.ts";
import { epochTime, parseIsoTime, parseNginxTime, rememberingLast } from "./time.ts";
import type { LogTime, TimeParser } from "./time.ts";

type Fields = Readonly<Record<string, unknown>>;

const REQUEST_TIME_MAX_S = 2_000_000;

/** Parses one line without its end. `timeOf` reads times written as text. */
export function parseJson(line: string, timeOf: TimeParser): AccessRow | RejectReason {
  const fields = objectOf(line);
  if (fields === null) return "bad_json";
  const time = logTime(fields, timeOf);
  if (time === null) return "bad_time";
  const status = numberOf(fields.status);
  if (status === null || !Number.isInteger(status) || status < 0 || status > 999) {
    return "bad_status";
  }
  const request = textOf(fields.request);
  const parts = request === null ? null : splitRequest(request);
  const seconds = numberOf(fields.request_time);
  const timed = seconds !== null && seconds >= 0 && seconds < REQUEST_TIME_MAX_S;
  return {
    ts: time.ts,
    time_zone_min: time.zoneMin,
    remote_addr: textOf(fields.remote_addr),
    remote_user: textOf(fields.remote_user),
    http_method: textOf(fields.http_method ?? fields.request_method) ?? parts?.method ?? null,
    request: textOf(fields.request_uri) ?? parts?.target ?? request,
    http_version: textOf(fields.http_version ?? fields.server_protocol) ?? parts?.version ?? null,
    status,
    body_bytes_sent: bytesOf(fields.body_bytes_sent ?? fields.bytes_sent),
    http_referer: textOf(fields.http_referer),
    http_user_agent: textOf(fields.http_user_agent),
    request_time_ms: timed ? Math.round(seconds * 1_000) : null,
    layout: "json",
  };
}

/** Reads the times that JSON logs write as text: ISO 8601, nginx's own, seconds since 1970. */
export function jsonTimeParser(): TimeParser {
  return rememberingLast((text) => {
    if (/^\d+(\.\d+)?$/.test(text)) return epochTime(Number(text));
    return parseIsoTime(text) ?? parseNginxTime(text);
  });
}

function objectOf(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line);
    return isFields(value) ? value : null;
  } catch {
    return null; // bad data is a value: the caller keeps the line as a reject
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function logTime(fields: Fields, timeOf: TimeParser): LogTime | null {
  const value = fields.time_local ?? fields.time_iso8601 ?? fields.msec ?? fields.ts;
  if (typeof value === "number") return epochTime(value);
  return typeof value === "string" ? timeOf(value) : null;
}

/** JSON may escape half a surrogate pair, which no UTF-8 can hold. */
function textOf(value: unknown): string | null {
  if (typeof value === "string") return value.toWellFormed();
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

function numberOf(value: unknown): number | null {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^\d{1,15}(\.\d+)?$/.test(value) ? Number(value) : null;
}

function bytesOf(value: unknown): bigint | null {
  if (typeof value === "string") return /^\d{1,18}$/.test(value) ? BigInt(value) : null;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? BigInt(value)
    : null;
}
