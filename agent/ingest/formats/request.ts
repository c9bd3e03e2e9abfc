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

function isMethod(text: string, end: number): boolean {
  if (end <= 0 || end > METHOD_LENGTH_MAX) return false;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    const letter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    if (!letter && code !== 0x2d && code !== 0x5f) return false;
  }
  return true;
}
