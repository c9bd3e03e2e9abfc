/** Times as all kinds of logs write them, with how a layout writes them again. */
import type { ValueKind } from "../../../../protocol/schema/layout.ts";
import { epochTime, MONTHS, parseIsoTime, parseNginxTime } from "../time.ts";
import type { LogTime } from "../time.ts";
import { nginxTimeText } from "../rebuild.ts";

/** A time that was read. */
export interface ReadTime extends LogTime {
  /** Null: no layout writes it like that. */
  kind: ValueKind | null;
}

/** A text to its time; null: it is none. */
export type EventTimeParser = (text: string) => ReadTime | null;

/** Forms with a name, for `time: { format }`; another text is a pattern of strptime. */
export const TIME_FORMATS = ["iso", "epoch", "epoch_ms", "nginx", "bsd"] as const;

const ISO = /^\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(?:(\.)(\d{1,6}))?(Z|\+\d\d:?\d\d|-\d\d:?\d\d)?$/;
const BSD = /^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)$/;

/** How far ahead of the clock a time without a year may be: beyond, it is of the year before. */
const AHEAD_MS = 86_400_000;

/** Seconds since 1970, from 1973 on: smaller numbers say how long something took. */
const EPOCH = /^\d{9}/;

/** Any of the forms that tell themselves. */
export function anyTime(text: string, nowMs: number): ReadTime | null {
  const first = text.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) {
    if (text.charCodeAt(4) === 0x2d) return isoTime(text);
    return EPOCH.test(text) ? epochText(text) : nginxTime(text);
  }
  return bsdTime(text, nowMs);
}

/** Reads ISO 8601. */
export function isoTime(text: string): ReadTime | null {
  const time = parseIsoTime(text);
  if (time === null) return null;
  const match = ISO.exec(text);
  if (match === null) return { ...time, kind: null };
  const [, separator = "", , decimals = "", zone = ""] = match;
  const form = zone === "" || zone === "Z" ? zone : zone.includes(":") ? "+00:00" : "+0000";
  const isPlain = !/^-00:?00$/.test(zone);
  return { ...time, kind: isPlain ? `iso${decimals.length}${separator}${form}` : null };
}

/** Reads a number of seconds or, told by their size, milli-, micro- or nanoseconds since 1970. */
export function epochText(text: string): ReadTime | null {
  const match = /^(\d{1,19})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return null;
  const [, whole = "", decimals = ""] = match;
  if (whole.length <= 11 && decimals !== "") {
    const us = BigInt(whole) * 1_000_000n + BigInt(decimals.slice(0, 6).padEnd(6, "0"));
    const isExact = decimals.length === 3 || decimals.length === 6;
    const plain = isExact && String(Number(whole)) === whole;
    return inRange(us, plain ? `epoch${decimals.length}` : null);
  }
  if (decimals !== "") return null;
  if (whole.length > 16) return inRange(BigInt(whole) / 1_000n, null);
  const time = epochTime(Number(whole));
  if (time === null) return null;
  const plain = String(Number(whole)) === whole;
  const kind = whole.length <= 11 ? "epoch" : whole.length <= 13 ? "epoch_ms" : null;
  return { ...time, kind: plain ? kind : null };
}

function inRange(us: bigint, kind: ValueKind | null): ReadTime | null {
  const time = epochTime(Number(us / 1_000_000n));
  return time === null ? null : { ts: us, zoneMin: 0, kind };
}

/** Reads nginx's and Apache's `10/Oct/2000:13:55:36 -0700`. */
export function nginxTime(text: string): ReadTime | null {
  const time = parseNginxTime(text);
  if (time === null) return null;
  return { ...time, kind: nginxTimeText(time.ts, time.zoneMin) === text ? "nginx" : null };
}

/** Reads `Oct  9 13:55:36`, in UTC, of the year that makes it past or present. */
export function bsdTime(text: string, nowMs: number): ReadTime | null {
  const match = BSD.exec(text);
  if (match === null) return null;
  const [, name = "", day = "", hour, minute, second] = match;
  const month = MONTHS.indexOf(name);
  if (month < 0 || month % 3 !== 0) return null;
  const year = new Date(nowMs + AHEAD_MS).getUTCFullYear();
  for (const candidate of [year, year - 1, year - 2, year - 3, year - 4]) {
    const date = `${candidate}-${String(month / 3 + 1).padStart(2, "0")}-${day.replace(" ", "0")}`;
    const time = parseIsoTime(`${date}T${hour}:${minute}:${second}`);
    if (time === null || Number(time.ts / 1_000n) > nowMs + AHEAD_MS) continue;
    return { ...time, kind: day.startsWith("0") ? "bsd0" : "bsd" };
  }
  return null;
}
