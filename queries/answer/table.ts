/** Draws rows as a table for people. */
import type { Column } from "../../protocol/wire/messages.ts";
import { cutToWidth, displayWidth } from "./display_width.ts";
import type { JsonRow, JsonValue } from "./json_rows.ts";
import type { TableLook } from "./table_look.ts";

export type { JsonValue } from "./json_rows.ts";
export type { TableLook } from "./table_look.ts";

const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*)$/;

/** A value is never cut shorter than this, even where the table does not fit then. */
const VALUE_WIDTH_MIN = 3;

/** Of each column: a blank left and right of its values, and the line behind it. */
const FRAME_WIDTH = 3;

/**
 * The header, the rows and the closing `(2 rows)`; ends with a newline. Who has only the first rows
 * of a longer answer says how many it has.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly JsonRow[],
  look: TableLook = {},
  rowCount = rows.length,
): string {
  const shown = rows.slice(0, look.rowsMax ?? rows.length);
  const header = columns.map(({ name }) => visible(name));
  const texts = shown.map((row) => columns.map(({ name }) => textOf(row[name] ?? null)));
  const widths = fittedWidths([header, ...texts], look.width ?? Infinity);
  const line = (cells: readonly string[], dimmed?: JsonRow) =>
    columns.map(({ name, type }, i) => {
      const text = cutToWidth(cells[i] ?? "", widths[i] ?? 0);
      const blanks = " ".repeat(Math.max(0, (widths[i] ?? 0) - displayWidth(text)));
      const isDim = dimmed !== undefined && (dimmed[name] ?? null) === null;
      const drawn = isDim ? `\x1b[2m${text}\x1b[22m` : text;
      return NUMBER.test(type) ? ` ${blanks}${drawn} ` : ` ${drawn}${blanks} `;
    }).join("│").trimEnd();
  return [
    line(header),
    widths.map((width) => "─".repeat(width + 2)).join("┼"),
    ...texts.map((cells, i) => line(cells, look.color === true ? shown[i] : undefined)),
    ...closing(shown.length, rowCount),
    "",
  ].join("\n");
}

function closing(shown: number, total: number): string[] {
  const more = `… ${total - shown} more rows: use -o csv or -o parquet`;
  return [...(shown < total ? [more] : []), `(${total} ${total === 1 ? "row" : "rows"})`];
}

function textOf(value: JsonValue): string {
  if (value === null) return "NULL";
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value));
}

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text for a terminal: log lines may hold escape sequences, which it would obey. */
export function visible(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) =>
      NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Widths of the values: the widest columns give way until the table fits. */
function fittedWidths(cells: readonly string[][], width: number): number[] {
  const room = width - FRAME_WIDTH * (cells[0]?.length ?? 0) + 1;
  const widthMax = Math.max(room, VALUE_WIDTH_MIN);
  const widths = (cells[0] ?? []).map((_, i) => {
    const widest = cells.reduce((most, row) => Math.max(most, displayWidth(row[i] ?? "")), 0);
    return Math.min(widest, widthMax);
  });
  while (widths.reduce((total, one) => total + one, 0) > room) {
    const widest = Math.max(...widths);
    if (widest <= VALUE_WIDTH_MIN) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}
