/** Times in the bytes of a line: neighbouring lines have mostly the same second. */
import type { EventTimeParser } from "../event_time.ts";

/** `2000-10-10T13:55:36` */
const SECOND_LENGTH = 19;
const DOT = 0x2e;
const ZERO = 0x30;

/** A kind of ISO 8601 that has decimals, and how many. */
const ISO_DECIMALS = /^iso([1-6])/;

export class TimeReader {
  /** Microseconds since 1970, and minutes east of UTC, of the text read last. */
  us = 0;
  zoneMin = 0;
  private last = new Uint8Array();
  private lastKind: string | null = null;
  /** Where the decimals of that text begin and end; no text at all has none. */
  private decimalsEnd = 0;
  /** Of its whole second. */
  private secondUs = 0;

  constructor(private readonly parse: EventTimeParser) {}

  /** Reads the text of a time that the layout writes as `kind`; false: it is the parser's. */
  read(bytes: Uint8Array, start: number, end: number, kind: string | null): boolean {
    if (kind === this.lastKind && this.isLast(bytes, start, end)) return true;
    const text = bytes.slice(start, end);
    const time = this.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(text));
    this.last = new Uint8Array();
    if (time === null || time.kind !== kind) return false;
    this.us = Number(time.ts);
    this.zoneMin = time.zoneMin;
    this.last = text;
    this.lastKind = kind;
    const decimals = Number(ISO_DECIMALS.exec(kind ?? "")?.[1] ?? 0);
    this.decimalsEnd = decimals > 0 && text[SECOND_LENGTH] === DOT
      ? SECOND_LENGTH + 1 + decimals
      : 0;
    this.secondUs = this.us - this.us % 1_000_000;
    return true;
  }

  /** Whether it is the last text, but for decimals, which are read. */
  private isLast(bytes: Uint8Array, start: number, end: number): boolean {
    const { last, decimalsEnd } = this;
    const { length } = last;
    if (length === 0 || end - start !== length) return false;
    for (let i = 0; i < (decimalsEnd === 0 ? length : SECOND_LENGTH + 1); i++) {
      if (bytes[start + i] !== last[i]) return false;
    }
    if (decimalsEnd === 0) return true;
    for (let i = decimalsEnd; i < length; i++) if (bytes[start + i] !== last[i]) return false;
    let us = 0;
    let unit = 100_000;
    for (let i = SECOND_LENGTH + 1; i < decimalsEnd; i++) {
      const digit = bytes[start + i]! - ZERO;
      if (!(digit >= 0 && digit <= 9)) return false;
      us += digit * unit;
      unit /= 10;
    }
    this.us = this.secondUs + us;
    return true;
  }
}
