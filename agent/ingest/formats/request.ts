/** The request line of HTTP: method, target, version (RFC 9112, section 3). */

/** Its three parts. */
export interface RequestLine {
  method: string;
  /** As the client sent it; clients also send blanks. */
  target: string;
  version: string;
}

/** Longer words are no method. */
export const METHOD_LENGTH_MAX = 32;

const BLANK = 0x20;
const PROTOCOL = new TextEncoder().encode("HTTP/");

/** Takes `GET /x HTTP/1.1` apart; null for anything else: TLS hellos, `-`, scans. */
export function splitRequest(text: string): RequestLine | null {
  const first = text.indexOf(" ");
  const last = text.lastIndexOf(" ");
  if (last <= first || !text.startsWith("HTTP/", last + 1)) return null;
  if (!isMethod(text, first)) return null;
  return {
    method: text.slice(0, first),
    target: text.slice(first + 1, last),
    version: text.slice(last + 1),
  };
}

/** Where the first two parts end, in bytes. */
export interface RequestBytes {
  methodEnd: number;
  targetEnd: number;
}

/** The same for bytes, into `parts`; false: it has no three parts. */
export function splitRequestBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  parts: RequestBytes,
): boolean {
  let methodEnd = start;
  while (methodEnd < end && isMethodByte(bytes[methodEnd]!)) methodEnd++;
  const length = methodEnd - start;
  if (length === 0 || length > METHOD_LENGTH_MAX || bytes[methodEnd] !== BLANK) return false;
  let targetEnd = end - 1;
  while (targetEnd > methodEnd && bytes[targetEnd] !== BLANK) targetEnd--;
  if (targetEnd === methodEnd) return false;
  for (let i = 0; i < PROTOCOL.length; i++) {
    if (targetEnd + 1 + i >= end || bytes[targetEnd + 1 + i] !== PROTOCOL[i]) return false;
  }
  parts.methodEnd = methodEnd;
  parts.targetEnd = targetEnd;
  return true;
}

function isMethod(text: string, end: number): boolean {
  if (end <= 0 || end > METHOD_LENGTH_MAX) return false;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (!isMethodByte(code)) return false;
  }
  return true;
}

function isMethodByte(code: number): boolean {
  return ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) || code === 0x2d || code === 0x5f;
}
