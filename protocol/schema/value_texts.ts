/** Finds values of lines that hold a text, as SQL over physical columns. */
import { valueSql } from "./layout.ts";
import type { ValueKind } from "./layout.ts";
import type { Column } from "../wire/messages.ts";
import { identifier, literal } from "./table_sql.ts";

/** A condition on a value. */
export interface ValueTest {
  sql: string;
  /** Whether it is true only of values that hold the text. */
  isExact: boolean;
}

/**
 * What holds of values that have the text in them, as lines have it; null: none can have. Perhaps: it
 * would take as long to tell as to build the line.
 */
export function valueHolds(
  [name, kind]: readonly [string, ValueKind],
  text: string,
  fields: readonly Column[],
): ValueTest | "perhaps" | null {
  const column = identifier(name);
  const whole = `concat(${valueSql([name, kind])})`;
  // A column that is text by now has numbers in some rows, and in others what is none.
  const isText = fields.some((field) => field.name === name && field.type === "VARCHAR");
  const written = exactly(holds(isText ? `TRY(${whole})` : whole, text));
  if (kind === "text") return exactly(holds(`${column}::VARCHAR`, text));
  if (kind === "json") return exactly(holds(whole, text));
  if (kind === "flag") return "true false".includes(text) ? written : null;
  if (kind === "decimal" || kind.startsWith("fixed")) {
    return /^[-+.\deinfa]+$/.test(text) ? written : null;
  }
  if (isTime(kind)) return timeHolds(kind, text);
  if (kind === "seconds") return secondsHold(column, text, written);
  if (/^epoch\d/.test(kind)) return /^-?\d*\.?\d*$/.test(text) ? written : null;
  if (!/^-?\d+$/.test(text)) return null;
  return kind === "whole" && !isText ? numberHolds(column, text) : written;
}

function exactly(sql: string): ValueTest {
  return { sql, isExact: true };
}

function holds(value: string, text: string): string {
  return `contains(${value}, ${literal(text)})`;
}

/** A BIGINT has 19. */
const DIGITS_MAX = 18;

/** Most numbers are short: a comparison spares them being written. */
function numberHolds(column: string, text: string): ValueTest {
  const written = holds(`${column}::BIGINT::VARCHAR`, text);
  if (!/^[1-9]\d*$/.test(text) || text.length > DIGITS_MAX) return exactly(written);
  return exactly(
    `${column} = ${text} OR ((${column} >= 1${
      "0".repeat(text.length)
    } OR ${column} < 0) AND ${written})`,
  );
}

/** `1.234`, of milliseconds: the text itself is written only where it must be looked at. */
function secondsHold(column: string, text: string, written: ValueTest): ValueTest | null {
  if (!/^-?\d*\.?\d*$/.test(text)) return null;
  if (!/^\d{3,}$/.test(text)) return written;
  const least = `1${"0".repeat(text.length - 1 + 3)}`;
  const seconds = text.length > DIGITS_MAX
    ? "false"
    : `(${column} >= ${least} AND ${holds(`(${column} // 1000)::VARCHAR`, text)})`;
  const rest = text.length === 3 ? ` OR ${column} % 1000 = ${Number(text)}` : "";
  return exactly(`${seconds}${rest} OR (${column} < 0 AND ${written.sql})`);
}

function isTime(kind: ValueKind): boolean {
  return kind === "nginx" || kind.startsWith("iso") || kind.startsWith("bsd");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function timeHolds(kind: ValueKind, text: string): ValueTest | "perhaps" | null {
  const decimals = kind.startsWith("iso") ? Number(kind.slice(3, 4)) : 0;
  if (/^\d+$/.test(text) && !kind.startsWith("bsd")) return digitsHold(text, kind, decimals);
  if (kind.startsWith("iso")) {
    const marks = `Z+-:${kind.slice(4, 5)}`; // iso3TZ: between date and clock
    const rest = decimals > 0 ? text.replace(".", "") : text;
    return [...rest].every((char) => /\d/.test(char) || marks.includes(char)) ? "perhaps" : null;
  }
  const names = text.match(/[A-Za-z]+/g) ?? [];
  const isNamed = names.every((name) => MONTHS.some((month) => month.includes(name)));
  return isNamed && /^[A-Za-z\d/:+ -]+$/.test(text) ? "perhaps" : null;
}

/** Three digits and more stand in the year, in the zone and behind the point. */
function digitsHold(text: string, kind: ValueKind, decimals: number): ValueTest | null {
  const tests = [yearHolds(text, kind)].filter((test) => test !== null);
  if (decimals > 0 && text.length <= decimals) {
    const unit = 10 ** Math.max(0, MICROS_DIGITS - decimals);
    const digits = `(epoch_us(ts) % 1000000 // ${unit} + ${1e6 / unit})::VARCHAR`; // 1 and they
    tests.push(holds(digits, text), `ts < '${YEARS[0]}-01-01'`);
  }
  return tests.length === 0 ? null : { sql: tests.join(" OR "), isExact: false };
}

/** What stands behind the point has so many digits at most. */
const MICROS_DIGITS = 6;

/** Years and zones in minutes that are looked at one by one; times beyond them hold any number. */
const YEARS = Array.from({ length: 200 }, (_, i) => 1_970 + i);
const ZONES = Array.from({ length: 24 * 4 * 2 + 1 }, (_, i) => 15 * i - 24 * 60);

/** Null: neither year nor zone can have it. */
function yearHolds(text: string, kind: ValueKind): string | null {
  if (text.length > 4) return null;
  const years = YEARS.filter((year) => String(year).includes(text));
  const zoneText = (minutes: number) =>
    [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
      .map((part) => String(part).padStart(2, "0")).join(kind.endsWith(":00") ? ":" : "");
  const zones = ZONES.filter((minutes) => zoneText(minutes).includes(text));
  const last = YEARS.length - 1;
  return [
    `ts < '${YEARS[1]}-01-01' OR ts >= '${YEARS[last]}-01-01' OR time_zone_min % 15 <> 0`,
    ...years.map((year) => `(ts >= '${year - 1}-12-31' AND ts < '${year + 1}-01-02')`),
    ...(zones.length === 0 ? [] : [`coalesce(time_zone_min, 0) IN (${zones.join(", ")})`]),
  ].join(" OR ");
}
