/** `--since` and `--until` as people write them, to the range that is signed. */
import type { Range } from "./claims.ts";
import { LogvendError } from "./errors.ts";
import { formatDurationMs, parseDurationMs } from "./units.ts";

/** Asked when nothing else is: dropped again when the SQL's WHERE bounds ts itself. */
export const DEFAULT_RANGE_MS = 24 * 3_600_000;

export interface RangeText {
  /** `15m` (back from now), `2026-11-22`, `2026-11-22T19:00:00Z`, `all`; absent: the default. */
  since?: string | undefined;
  until?: string | undefined;
}

/** @throws {LogvendError} usage */
export function parseRange(text: RangeText, nowMs: number): Range {
  const until = text.until === undefined ? null : parseInstant("--until", text.until, nowMs);
  if (text.since === undefined) {
    const sinceMs = (until === null ? nowMs : Date.parse(until)) - DEFAULT_RANGE_MS;
    return { since: new Date(sinceMs).toISOString(), until, implied: true };
  }
  const since = text.since === "all" ? null : parseInstant("--since", text.since, nowMs);
  if (since !== null && until !== null && since >= until) {
    throw new LogvendError("usage", `--since ${since} is not before --until ${until}`);
  }
  return { since, until, implied: false };
}

/** The range in words: `last 24 h`, `all time`, `2026-11-22T18:00:00Z to 2026-11-22T19:00:00Z`. */
export function describeRange(range: Omit<Range, "implied">, nowMs: number): string {
  const { since, until } = range;
  if (since === null) return until === null ? "all time" : `until ${shortInstant(until)}`;
  if (until === null) return `last ${formatDurationMs(nowMs - Date.parse(since))}`;
  return `${shortInstant(since)} to ${shortInstant(until)}`;
}

function parseInstant(flag: string, text: string, nowMs: number): string {
  if (/^\d+(\.\d+)?\s*[a-z]+$/.test(text)) {
    return new Date(nowMs - parseDurationMs(text)).toISOString();
  }
  const withZone = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text.replace(" ", "T")}Z`;
  const epochMs = /^\d{4}-\d\d-\d\d/.test(text)
    ? Date.parse(/T/.test(withZone) ? withZone : withZone.replace(/Z$/, "T00:00:00Z"))
    : NaN;
  if (Number.isNaN(epochMs)) {
    throw new LogvendError(
      "usage",
      `${flag} ${text}: wanted 15m, 24h, 7d, 2026-11-22, 2026-11-22T19:00:00Z` +
        (flag === "--since" ? " or all" : ""),
    );
  }
  return new Date(epochMs).toISOString();
}

function shortInstant(iso: string): string {
  return iso.replace(/\.000Z$/, "Z");
}
