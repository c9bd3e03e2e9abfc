/** Takes messages out of a stream of bytes: syslog over TCP (RFC 6587), and lines. */

const LINE_END = 0x0a;
const BLANK = 0x20;
const LESS_THAN = 0x3c;
const ZERO = 0x30;

/** Longer ones end the connection. */
export const MESSAGE_BYTES_MAX = 2 ** 20;

/** Digits of a length in front of a message. */
const COUNT_DIGITS_MAX = 7;

/** A sender's message is longer than any. */
export class MessageTooLong extends Error {
  constructor() {
    super(`a message of more than ${MESSAGE_BYTES_MAX} bytes`);
  }
}

export class Framer {
  /** What has come and is no whole message yet. */
  private rest = new Uint8Array();

  /**
   * The messages that are whole now, without their ends.
   * @throws {MessageTooLong} when there are none before it: those that are whole are given first
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = joined(this.rest, chunk);
    const messages: Uint8Array[] = [];
    let at = 0;
    for (let next = messageAt(bytes, at); next !== null; next = messageAt(bytes, at)) {
      messages.push(bytes.subarray(next.start, next.end));
      at = next.after;
    }
    this.rest = bytes.slice(at);
    if (messages.length === 0 && isTooLong(this.rest)) throw new MessageTooLong();
    return messages;
  }

  /** What is left when no more comes: a last message may lack its end. */
  end(): Uint8Array[] {
    const { rest } = this;
    this.rest = new Uint8Array();
    return rest.length === 0 ? [] : [rest];
  }
}

interface Found {
  start: number;
  end: number;
  /** Where the next begins. */
  after: number;
}

/** Null: it has not come to its end. */
function messageAt(bytes: Uint8Array, start: number): Found | null {
  const counted = countAt(bytes, start);
  if (counted === "unsure") return null;
  if (counted !== null) {
    const end = counted.start + counted.length;
    return end > bytes.length ? null : { start: counted.start, end, after: end };
  }
  const end = bytes.indexOf(LINE_END, start);
  return end < 0 ? null : { start, end, after: end + 1 };
}

/** Whether what has come of a message, or is said to come, is more than any has. */
function isTooLong(rest: Uint8Array): boolean {
  const counted = countAt(rest, 0);
  const length = counted === null || counted === "unsure" ? 0 : counted.length;
  return length > MESSAGE_BYTES_MAX || rest.length > MESSAGE_BYTES_MAX + COUNT_DIGITS_MAX + 1;
}

/** `12 <34>…`: octets are counted; a line that begins with a number is none. */
function countAt(
  bytes: Uint8Array,
  start: number,
): { start: number; length: number } | "unsure" | null {
  let length = 0;
  let at = start;
  for (; at < bytes.length && at - start <= COUNT_DIGITS_MAX; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const digits = at - start;
  if (digits > COUNT_DIGITS_MAX || bytes[start] === ZERO) return null;
  if (at + 1 >= bytes.length && (bytes[at] ?? BLANK) === BLANK) return "unsure";
  if (digits === 0 || bytes[at] !== BLANK || bytes[at + 1] !== LESS_THAN) return null;
  return { start: at + 1, length };
}

/** One behind the other. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}
