/** `--since` and `--until` as people write them: to the range that is signed, and back into words. */
import type { Range } from "./signing/claims.ts";
import { LogvendError } from "./errors.ts";
import { formatDurationMs, parseDurationMs } from "./units.ts";

/** ISO writes later years with six digits, which no schema takes. */
const EPOCH_END_MS = Date.UTC(10_000, 0);

/** Asked when nothing else is: dropped again when the SQL's WHERE bounds ts itself. */
export const DEFAULT_RANGE_MS = 24 * 3_600_000;

/** The two flags as they were given. */
export interface RangeText {
  /** `15m` (back from now), `2026-11-22`, `2026-11-22T19:00:00Z`, `all`; absent: the default. */
  since?: string | undefined;
  until?: string | undefined;
}

/** `15m` is `15` and `m`. */
const BACK_FROM_NOW = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** Date, and perhaps time, and perhaps zone. */
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/;

/** @throws {LogvendError} usage */
export function parseRange(text: RangeText, nowMs: number): Range {
  const until = text.until === undefined ? null : parseInstant("--until", text.until, nowMs);
  if (text.since === undefined) {
    const sinceMs = (until === null ? nowMs : Date.parse(until)) - DEFAULT_RANGE_MS;
    return { since: new Date(sinceMs).toISOString(), until, implied: true };
  }
  if (text.since === "all") return { since: null, until, implied: false };
  const since = parseInstant("--since", text.since, nowMs);
  if (until === null && Date.parse(since) >= nowMs) {
    throw new LogvendError("usage", `--since ${text.since}: wanted a time in the past, e.g. 15m`);
  }
  if (until !== null && since >= until) {
    throw new LogvendError("usage", `--since ${text.since} is not before --until ${text.until}`);
  }
  return { since, until, implied: false };
}

/**
 * What was read, in the words it was asked with: `last 15 m`, `since 2026-11-22T18:00Z`,
 * `2 h ago to 1 h ago`, `all time`; `time as in WHERE` where the SQL's bounds replace the default.
 */
export function rangeInWords(asked: RangeText, read: Omit<Range, "implied">): string {
  const { since, until } = read;
  const end = until === null ? null : instantInWords(asked.until, until);
  if (since === null) {
    if (end !== null) return `until ${end}`;
    return asked.since === undefined ? "time as in WHERE" : "all time";
  }
  if (asked.since === undefined) {
    const length = formatDurationMs(DEFAULT_RANGE_MS);
    return end === null ? `last ${length}` : `${length} until ${end}`;
  }
  const start = instantInWords(asked.since, since);
  if (end !== null) return `${start} to ${end}`;
  return start.endsWith(" ago") ? `last ${start.slice(0, -" ago".length)}` : `since ${start}`;
}

/** `15 m ago`, or the UTC instant without zeros at its end: `2026-11-22T18:00Z`. */
function instantInWords(asked: string | undefined, iso: string): string {
  const [, count, unit] = BACK_FROM_NOW.exec(asked ?? "") ?? [];
  return count === undefined ? iso.replace(/(:00)?\.000Z$/, "Z") : `${count} ${unit} ago`;
}

function parseInstant(flag: string, text: string, nowMs: number): string {
  const epochMs = BACK_FROM_NOW.test(text) ? nowMs - parseDurationMs(text) : parseIso(text);
  if (!(epochMs >= 0 && epochMs < EPOCH_END_MS)) {
    throw new LogvendError(
      "usage",
      `${flag} ${text}: wanted 15m, 24h, 7d, 2026-11-22, 2026-11-22T19:00:00Z` +
        (flag === "--since" ? " or all" : ""),
    );
  }
  return new Date(epochMs).toISOString();
}

/** UTC where no zone is given; NaN for what is no date, such as 31 February. */
function parseIso(text: string): number {
  const [, date = "", time = "00:00", zone = "Z"] = ISO.exec(text) ?? [];
  const isDate = new Date(`${date}T12:00Z`).getUTCDate() === Number(date.slice(-2));
  return isDate ? Date.parse(`${date}T${time}${zone}`) : NaN;
}
