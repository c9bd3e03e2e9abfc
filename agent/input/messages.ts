/** A message as the line that it becomes. */

const LINE_END = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line end inside a message, as rsyslog writes it. */
const ESCAPED = new TextEncoder().encode("#012");

/** Null: nothing is in it. Line ends and zero bytes at its end are no part of it. */
export function lineOf(message: Uint8Array): Uint8Array | null {
  let end = message.length;
  while (end > 0 && isEnding(message[end - 1])) end--;
  if (end === 0) return null;
  const text = message.subarray(0, end);
  return text.includes(LINE_END) ? escaped(text) : text;
}

function isEnding(byte: number | undefined): boolean {
  return byte === LINE_END || byte === CARRIAGE_RETURN || byte === 0;
}

function escaped(text: Uint8Array): Uint8Array {
  const bytes = Array.from(text).flatMap((byte) => byte === LINE_END ? [...ESCAPED] : [byte]);
  return Uint8Array.from(bytes);
}
