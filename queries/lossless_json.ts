/** JSON whose numbers keep their digits (ECMAScript 2026: JSON.rawJSON, source text in revivers). */

/** A number as written, where a double would lose digits; JSON.stringify writes it unchanged. */
export interface RawNumber {
  readonly rawJSON: string;
}

/** What TypeScript's library does not declare yet. */
interface LosslessJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}

const json = JSON as unknown as LosslessJson;

/** Parses JSON; a number that is no safe integer goes through `convert` with its digits. */
export function parseLossless(text: string, convert: (digits: string) => unknown): unknown {
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    return Number.isSafeInteger(value) && String(value) === source ? value : convert(source);
  });
}

/** A number with exactly these digits. */
export function rawNumber(digits: string): RawNumber {
  return json.rawJSON(digits);
}

export function isRawNumber(value: unknown): value is RawNumber {
  return json.isRawJSON(value);
}
