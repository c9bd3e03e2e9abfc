/**
 * Reads combined and common lines as bytes, for speed: only those that are written as servers write them, whose
 * columns surely rebuild them. For these it gives the very row that parseAccess does; any other
 * line it leaves to that one.
 */
import type { AccessRows } from "../../store/rows/rows.ts";
import type { RowScanner } from "./filler.ts";
import { nginxTimeText } from "./rebuild.ts";
import type { AccessFormat } from "./combined.ts";
import type { Layout } from "./row.ts";
import { METHOD_LENGTH_MAX } from "./request.ts";
import { NGINX_TIME_LENGTH, parseNginxTime } from "./time.ts";

const BLANK = 0x20;
const QUOTE = 0x22;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const LEFT_BRACKET = 0x5b;
const LEFT_BRACE = 0x7b;
const BACKSLASH = 0x5c;
const RIGHT_BRACKET = 0x5d;
const LINE_END = 0x0a;

/** Numbers of more digits may not be exact. */
const DIGITS_MAX = 15;
/** Of whole seconds, as in parseAccess. */
const SECONDS_DIGITS_MAX = 6;

const PROTOCOL = new TextEncoder().encode("HTTP/");

/** Kinds of bytes, as bits: what may stand in each field. */
const IN_WORD = 1;
const IN_QUOTES = 2;
const IN_METHOD = 4;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => kindOf(byte));

export class CombinedScanner implements RowScanner {
  /** The time text last read, and what it says. */
  private readonly timeBytes = new Uint8Array(NGINX_TIME_LENGTH);
  /** Microseconds since 1970, in halves: they are the same for many lines. */
  private timeLow = 0;
  private timeHigh = 0;
  private zoneMin = 0;
  /** Whether that time is one, written as it is rebuilt. */
  private isTime = false;

  constructor(private readonly format: AccessFormat) {}

  /** Rows are those of access logs. */
  scan(rows: AccessRows, start: number, end: number, offset: number): number {
    const { block } = rows.heap;
    let at = start;
    while (at < end && !rows.isFull) {
      const next = this.line(rows, block, at);
      if (next < 0) break;
      const { columns, count } = rows;
      columns.line_text.length[count] = -1;
      columns.line_raw.length[count] = -1;
      columns.line_offset.setNumber(count, offset + at);
      columns.line_length.setHidden(count, next - at);
      rows.count++;
      at = next;
    }
    return at;
  }

  /** Fills the row behind the last one; returns where the next line begins, or -1. */
  private line(rows: AccessRows, bytes: Uint8Array, start: number): number {
    const { columns, count: row } = rows;
    let at = run(bytes, start, IN_WORD);
    if (at === start || bytes[at] !== BLANK || bytes[start] === LEFT_BRACE) return -1; // JSON
    if (bytes[at + 1] !== DASH || bytes[at + 2] !== BLANK) return -1;
    columns.remote_addr.setStretch(row, start, at - start);
    const user = at + 3;
    at = run(bytes, user, IN_WORD);
    if (bytes[at] !== BLANK || bytes[at + 1] !== LEFT_BRACKET) return -1;
    columns.remote_user.setStretch(row, user, at - user);
    at = this.time(rows, bytes, at + 2);
    if (at < 0 || bytes[at] !== RIGHT_BRACKET) return -1;
    if (bytes[at + 1] !== BLANK || bytes[at + 2] !== QUOTE) return -1;
    at = request(rows, bytes, at + 3);
    if (at < 0 || bytes[at + 1] !== BLANK) return -1;
    at = status(rows, bytes, at + 2);
    if (at < 0 || bytes[at] !== BLANK) return -1;
    at = bodyBytes(rows, bytes, at + 1);
    if (at < 0) return -1;
    if (bytes[at] === LINE_END) return this.format === "combined" ? -1 : common(rows, at);
    return this.format === "common" ? -1 : client(rows, bytes, at);
  }

  private time({ columns, count }: AccessRows, bytes: Uint8Array, start: number): number {
    const { timeBytes } = this;
    for (let i = 0; i < NGINX_TIME_LENGTH; i++) {
      if (bytes[start + i] === timeBytes[i]) continue;
      this.readTime(bytes.subarray(start, start + NGINX_TIME_LENGTH));
      break;
    }
    if (!this.isTime) return -1;
    columns.ts.setHalves(count, this.timeLow, this.timeHigh);
    columns.time_zone_min.set(count, this.zoneMin);
    return start + NGINX_TIME_LENGTH;
  }

  private readTime(bytes: Uint8Array) {
    this.timeBytes.fill(0);
    this.timeBytes.set(bytes);
    const text = new TextDecoder().decode(bytes);
    const time = parseNginxTime(text);
    this.isTime = time !== null && nginxTimeText(time.ts, time.zoneMin) === text;
    if (time === null) return;
    this.timeLow = Number(time.ts & 0xffff_ffffn);
    this.timeHigh = Number(time.ts >> 32n);
    this.zoneMin = time.zoneMin;
  }
}

/** `GET /x HTTP/1.1` up to its quote; a target with blanks in it is for the other parser. */
function request({ columns, count }: AccessRows, bytes: Uint8Array, start: number): number {
  const methodEnd = run(bytes, start, IN_METHOD);
  const length = methodEnd - start;
  if (length === 0 || length > METHOD_LENGTH_MAX || bytes[methodEnd] !== BLANK) return -1;
  columns.http_method.setStretch(count, start, length);
  const target = methodEnd + 1;
  const targetEnd = run(bytes, target, IN_WORD | IN_QUOTES);
  if (bytes[targetEnd] !== BLANK) return -1;
  columns.request.setStretch(count, target, targetEnd - target);
  const version = targetEnd + 1;
  for (let i = 0; i < PROTOCOL.length; i++) if (bytes[version + i] !== PROTOCOL[i]) return -1;
  const versionEnd = run(bytes, version, IN_WORD | IN_QUOTES);
  if (bytes[versionEnd] !== QUOTE) return -1;
  columns.http_version.setStretch(count, version, versionEnd - version);
  return versionEnd;
}

function status({ columns, count }: AccessRows, bytes: Uint8Array, start: number): number {
  const hundreds = digit(bytes, start);
  const tens = digit(bytes, start + 1);
  const ones = digit(bytes, start + 2);
  if (hundreds < 1 || tens < 0 || ones < 0) return -1;
  columns.status.set(count, hundreds * 100 + tens * 10 + ones);
  return start + 3;
}

/** Digits as they are rebuilt, or a dash for NULL. */
function bodyBytes({ columns, count }: AccessRows, bytes: Uint8Array, start: number): number {
  if (bytes[start] === DASH) {
    columns.body_bytes_sent.set(count, null);
    return start + 1;
  }
  const end = number(bytes, start, DIGITS_MAX);
  if (end < 0) return -1;
  columns.body_bytes_sent.setNumber(count, valueOf(bytes, start, end));
  return end;
}

/** The end of a line of the common format. */
function common(rows: AccessRows, end: number): number {
  const { columns, count } = rows;
  columns.http_referer.length[count] = -1;
  columns.http_user_agent.length[count] = -1;
  columns.request_time_ms.set(count, null);
  setLayout(rows, "common");
  return end + 1;
}

/** ` "referer" "user agent"` and what follows. */
function client(rows: AccessRows, bytes: Uint8Array, start: number): number {
  const { columns, count } = rows;
  if (bytes[start] !== BLANK || bytes[start + 1] !== QUOTE) return -1;
  const referer = start + 2;
  let at = run(bytes, referer, IN_QUOTES);
  if (bytes[at] !== QUOTE || bytes[at + 1] !== BLANK || bytes[at + 2] !== QUOTE) return -1;
  columns.http_referer.setStretch(count, referer, at - referer);
  const agent = at + 3;
  at = run(bytes, agent, IN_QUOTES);
  if (bytes[at] !== QUOTE) return -1;
  columns.http_user_agent.setStretch(count, agent, at - agent);
  return seconds(rows, bytes, at + 1);
}

/** The line's end, or a request time with three decimals before it. */
function seconds(rows: AccessRows, bytes: Uint8Array, start: number): number {
  const { columns, count } = rows;
  if (bytes[start] === LINE_END) {
    columns.request_time_ms.set(count, null);
    setLayout(rows, "combined");
    return start + 1;
  }
  if (bytes[start] !== BLANK) return -1;
  const dot = number(bytes, start + 1, SECONDS_DIGITS_MAX);
  if (dot < 0 || bytes[dot] !== DOT) return -1;
  const tenths = digit(bytes, dot + 1);
  const hundredths = digit(bytes, dot + 2);
  const thousandths = digit(bytes, dot + 3);
  if (tenths < 0 || hundredths < 0 || thousandths < 0 || bytes[dot + 4] !== LINE_END) return -1;
  const ms = tenths * 100 + hundredths * 10 + thousandths;
  columns.request_time_ms.set(count, valueOf(bytes, start + 1, dot) * 1_000 + ms);
  setLayout(rows, "combined_time");
  return dot + 5;
}

function setLayout({ columns, heap, count }: AccessRows, layout: Layout) {
  columns.layout.setStretch(count, heap.constant(layout), layout.length);
}

/** Where a run of bytes of some kinds ends: of all the kinds, when several are given. */
function run(bytes: Uint8Array, start: number, kinds: number): number {
  let at = start;
  while ((KINDS[bytes[at]!]! & kinds) === kinds) at++;
  return at;
}

/** The end of a number without needless zeros; -1: there is none, or it is too long. */
function number(bytes: Uint8Array, start: number, digitsMax: number): number {
  let at = start;
  while (digit(bytes, at) >= 0) at++;
  const length = at - start;
  if (length === 0 || length > digitsMax) return -1;
  return bytes[start] === ZERO && length > 1 ? -1 : at;
}

function valueOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + digit(bytes, at);
  return value;
}

/** -1 for any other byte. */
function digit(bytes: Uint8Array, at: number): number {
  const value = bytes[at]! - ZERO;
  return value >= 0 && value <= 9 ? value : -1;
}

function kindOf(byte: number): number {
  const isText = byte >= BLANK && byte !== QUOTE && byte !== BACKSLASH;
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return (byte > BLANK ? IN_WORD : 0) | (isText ? IN_QUOTES : 0) |
    (isLetter || byte === DASH || byte === 0x5f ? IN_METHOD : 0);
}
