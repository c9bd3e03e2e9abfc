/** Finds lines by a word without building them: what columns of every line that has it must hold. */
import { layoutPieces, valueSql } from "./layout.ts";
import type { LayoutPiece, ValueKind } from "./layout.ts";
import type { Column } from "./messages.ts";
import type { StreamShape } from "./stream_shape.ts";
import { identifier, literal } from "./table_sql.ts";

/** Letters and digits: no word of them lies across the texts between values. */
const WORD = /^[A-Za-z0-9]+$/;
const WORDS = /[A-Za-z0-9]+/g;

const COMMON: readonly LayoutPiece[] = [
  ["remote_addr", "text"],
  " - ",
  ["remote_user", "text"],
  " [",
  ["ts", "nginx"],
  '] "',
  ["http_method", "text"],
  " ",
  ["request", "text"],
  " ",
  ["http_version", "text"],
  '" ',
  ["status", "whole"],
  " ",
  ["body_bytes_sent", "whole"],
];

/** The pieces of the layouts that have names (streams.ts). */
const ACCESS_LAYOUTS: readonly (readonly LayoutPiece[])[] = [
  [
    ...COMMON,
    ' "',
    ["http_referer", "text"],
    '" "',
    ["http_user_agent", "text"],
    '" ',
    ["request_time_ms", "seconds"],
  ],
  [
    '{"remote_addr":"","remote_user":"","time_local":"","http_method":"","request":"",',
    '"http_version":"","status":,"body_bytes_sent":,"http_referer":"","http_user_agent":""}',
  ],
];

/** Of the JSON among them: UTC. Digits alone are looked for in the times of the others. */
const JSON_TIME = "strftime(ts, '%Y-%m-%dT%H:%M:%S')";

/** The word of a text that says most: with letters, as numbers and times have none; else the longest. */
export function tellingWord(text: string): string | null {
  const words = text.match(WORDS) ?? [];
  const weight = (word: string) => word.length + (/[A-Za-z]/.test(word) ? 1_000 : 0);
  return words.toSorted((a, b) => weight(b) - weight(a))[0] ?? null;
}

/**
 * SQL over physical columns that is true of every row whose line has this word of `tellingWord`; of
 * others it may be. Null: such lines cannot be told without being built.
 */
export function holdsWord({ access, fields, layouts }: StreamShape, word: string): string | null {
  if (!WORD.test(word) || /^\d{1,2}$/.test(word)) return null; // every time has such numbers
  const all = [
    ...(access ? ACCESS_LAYOUTS : []),
    ...layouts.map((layout) => layoutPieces(layout) ?? []),
  ];
  if (!all.every((pieces) => isBetween(pieces, word))) return null;
  const values = all.flat().filter((piece) => typeof piece !== "string");
  const conditions = values.map((value) => valueHolds(value, word, fields))
    .filter((condition) => condition !== null);
  if (access && /^\d*T\d*$/.test(word)) conditions.push(holds(JSON_TIME, word));
  return [holds("line_text", word), ...new Set(conditions)].join(" OR ");
}

/** Whether a word that such a line has is in one of its values, and nowhere else. */
function isBetween(pieces: readonly LayoutPiece[], word: string): boolean {
  return pieces.every((piece, i) => {
    const next = pieces[i + 1];
    if (typeof piece === "string") {
      const isApart = next === undefined || typeof next === "string" || !WORD.test(piece.slice(-1));
      return !piece.includes(word) && piece !== "" && isApart;
    }
    return next === undefined || (typeof next === "string" && !WORD.test(next.slice(0, 1)));
  });
}

/** SQL that is true where a value has the word in it, as lines have it; null: none can have. */
function valueHolds(
  [name, kind]: readonly [string, ValueKind],
  word: string,
  fields: readonly Column[],
): string | null {
  const column = identifier(name);
  const text = `concat(${valueSql([name, kind])})`;
  // A column that is text by now has numbers in some rows, and in others what is none.
  const isText = fields.some((field) => field.name === name && field.type === "VARCHAR");
  const number = isText ? `TRY(${text})` : text;
  if (kind === "text") return holds(`${column}::VARCHAR`, word);
  if (kind === "json") return holds(text, word);
  if (kind === "flag") return "true false".includes(word) ? holds(number, word) : null;
  if (kind === "decimal" || kind.startsWith("fixed")) {
    return /^[\deinfa]+$/.test(word) ? holds(number, word) : null;
  }
  const isNumber = /^\d+$/.test(word);
  const isTime = kind === "nginx" || kind.startsWith("iso0");
  if (isTime && isNumber) return yearHolds(word, kind);
  if (kind.startsWith("iso")) {
    const marks = `Z${kind.slice(4, 5)}`; // iso3TZ: between date and clock
    return [...word].every((char) => /\d/.test(char) || marks.includes(char))
      ? holds(text, word)
      : null;
  }
  if (kind === "nginx" || kind.startsWith("bsd")) {
    return MONTHS.some((month) => month.includes(word)) ? holds(text, word) : null;
  }
  if (!isNumber) return null;
  if (kind !== "seconds") return holds(number, word);
  // Cheaper than the text itself.
  return `${holds(`(${column} // 1000)::VARCHAR`, word)} OR ` +
    holds(`(${column} % 1000 + 1000)::VARCHAR`, word);
}

function holds(text: string, word: string): string {
  return `contains(${text}, ${literal(word)})`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Years and zones in minutes that are looked at one by one; times beyond them hold any word. */
const YEARS = Array.from({ length: 200 }, (_, i) => 1_970 + i);
const ZONES = Array.from({ length: 24 * 4 * 2 + 1 }, (_, i) => 15 * i - 24 * 60);

/** Of a time without fractions, digits of three and four places stand in the year and in the zone. */
function yearHolds(word: string, kind: ValueKind): string | null {
  if (word.length > 4) return null;
  const years = YEARS.filter((year) => String(year).includes(word));
  const zoneText = (minutes: number) =>
    [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
      .map((part) => String(part).padStart(2, "0")).join(kind.endsWith(":00") ? ":" : "");
  const zones = ZONES.filter((minutes) => zoneText(minutes).includes(word));
  const last = YEARS.length - 1;
  return [
    `ts < '${YEARS[1]}-01-01' OR ts >= '${YEARS[last]}-01-01' OR time_zone_min % 15 <> 0`,
    ...years.map((year) => `(ts >= '${year - 1}-12-31' AND ts < '${year + 1}-01-02')`),
    ...(zones.length === 0 ? [] : [`coalesce(time_zone_min, 0) IN (${zones.join(", ")})`]),
  ].join(" OR ");
}
