/** What may be kept of a line that no format could read, where a stream's values are redacted. */
import type { Reject } from "../store/batch.ts";
import type { Redactor } from "../rules/redact.ts";

/** All of such a line is kept without rules. */
type RejectedLine = Pick<Reject, "reason" | "line" | "length">;

const EMPTY = new Uint8Array();

/**
 * The bytes to keep: with rules for fields none, for nobody knows where in the line those are; with
 * patterns the line after them. Of a line that was cut none: a match may end behind the cut.
 */
export function keepableReject(
  { reason, line, length }: RejectedLine,
  redactor: Redactor | null,
): Uint8Array {
  if (redactor === null) return line;
  if (redactor.fields.size > 0 || reason === "too_long") return EMPTY;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
  const redacted = redactor.text(text);
  if (redacted === text) return line;
  const bytes = new TextEncoder().encode(redacted);
  return bytes.length === length ? EMPTY : bytes; // as long as with its end: it would seem to lack it
}
