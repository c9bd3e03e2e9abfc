/** Times by a pattern with the conversions of strptime. */
import { MONTHS, parseIsoTime } from "../time.ts";
import type { EventTimeParser } from "./event_time.ts";

/** What each conversion matches. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  Y: "(?<year>\\d{4})",
  m: "(?<month>\\d{1,2})",
  b: "(?<name>[A-Z][a-z]{2})",
  d: "(?<day>[ \\d]?\\d)",
  e: "(?<day>[ \\d]?\\d)",
  H: "(?<hour>[ \\d]?\\d)",
  M: "(?<minute>\\d{2})",
  S: "(?<second>\\d{2})",
  f: "(?<fraction>\\d{1,9})",
  z: "(?<zone>Z|[+-]\\d{2}:?\\d{2})",
  a: "[A-Z][a-z]{2}",
  "%": "%",
};

/** Without these there is no day. */
const NEEDED = ["(?<year>", "(?<day>"];

/** What is wrong with a pattern; null: nothing. */
export function timePatternProblem(pattern: string): string | null {
  const unknown = [...pattern.matchAll(/%(.?)/g)].map(([, letter = ""]) => letter)
    .find((letter) => !(letter in CONVERSIONS));
  const known = Object.keys(CONVERSIONS).map((letter) => `%${letter}`).join(" ");
  if (unknown !== undefined) return `a pattern of ${known}, not %${unknown}`;
  const source = sourceOf(pattern);
  const twice = [...source.matchAll(/\?<(\w+)>/g)].map(([, name]) => name);
  if (new Set(twice).size < twice.length) return "a pattern that names each part once";
  const isDay = NEEDED.every((part) => source.includes(part)) && /\?<(month|name)>/.test(source);
  return isDay ? null : "a pattern with %Y, %m or %b, and %d; or iso, epoch, epoch_ms, nginx, bsd";
}

/** A parser for texts of a sound pattern; a time without zone is UTC. */
export function patternTime(pattern: string): EventTimeParser {
  const expression = new RegExp(`^${sourceOf(pattern)}$`);
  return (text) => {
    const groups = expression.exec(text)?.groups;
    if (groups === undefined) return null;
    const { year = "", month, name = "", day = "", hour = "0", minute = "00" } = groups;
    const { second = "00", fraction, zone = "Z" } = groups;
    const index = month === undefined ? MONTHS.indexOf(name) / 3 + 1 : Number(month);
    const time = parseIsoTime(
      `${year}-${two(index)}-${two(Number(day))}T${two(Number(hour))}:${minute}:${second}` +
        `${fraction === undefined ? "" : `.${fraction}`}${zone}`,
    );
    return time === null ? null : { ...time, kind: null };
  };
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function sourceOf(pattern: string): string {
  return pattern.replaceAll(/%(.)|[.*+?^${}()|[\]\\]/g, (match, letter) => {
    return letter === undefined ? `\\${match}` : CONVERSIONS[letter] ?? "";
  });
}
