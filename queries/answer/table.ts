/** Draws rows as a table for people. */
import Table from "cli-table3";
import type { Column } from "../../protocol/messages.ts";
import type { JsonRow, JsonValue } from "./json_rows.ts";

export type { JsonValue } from "./json_rows.ts";

export interface TableLook {
  /** Columns of the terminal; values are cut to it. Without it nothing is cut. */
  width?: number;
  /** Dims NULL. @default false */
  color?: boolean;
}

/** Only a line below the header and lines between columns. */
const LINES = {
  "top": "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  "bottom": "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  "left": "",
  "left-mid": "",
  "right": "",
  "right-mid": "",
};

const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|BIGNUM|DECIMAL\(.*)$/;

/** Blanks left and right of a value, and the line between columns. */
const PADDING_WIDTH = 2;
const COLUMN_WIDTH_MIN = 5;

/** Rows drawn at once: the library's time grows with the square of their number. */
const BLOCK_ROWS = 200;

/** The header, the rows and the closing `(2 rows)`; ends with a newline. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly JsonRow[],
  look: TableLook = {},
): string {
  const header = columns.map(({ name }) => visible(name));
  const texts = rows.map((row) => columns.map(({ name }) => textOf(row[name] ?? null)));
  const widths = fittedWidths([header, ...texts], look.width ?? Infinity);
  const cells = texts.map((row, i) =>
    row.map((text, j) => {
      const isNull = (rows[i]?.[columns[j]?.name ?? ""] ?? null) === null;
      return look.color === true && isNull ? `\x1b[2m${text}\x1b[22m` : text;
    })
  );
  const blocks: string[] = [];
  for (let start = 0; start === 0 || start < cells.length; start += BLOCK_ROWS) {
    const table = new Table({
      head: start === 0 ? header : [],
      chars: LINES,
      style: { head: [], border: [], compact: true },
      colAligns: columns.map(({ type }) => NUMBER.test(type) ? "right" : "left"),
      colWidths: widths,
    });
    table.push(...cells.slice(start, start + BLOCK_ROWS));
    blocks.push(table.toString());
  }
  const lines = blocks.join("\n").split("\n").map((line) => line.trimEnd());
  return `${lines.join("\n")}\n(${rows.length} ${rows.length === 1 ? "row" : "rows"})\n`;
}

function textOf(value: JsonValue): string {
  if (value === null) return "NULL";
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value));
}

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Log lines may hold escape sequences, which a terminal would obey. */
function visible(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) =>
      NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Widths with padding: the widest columns give way until the table fits. */
function fittedWidths(cells: readonly string[][], width: number): number[] {
  const widths = (cells[0] ?? []).map((_, i) =>
    cells.reduce((most, row) => Math.max(most, displayWidth(row[i] ?? "")), 0) + PADDING_WIDTH
  );
  const room = width - (widths.length - 1);
  while (widths.reduce((total, one) => total + one, 0) > room) {
    const widest = Math.max(...widths);
    if (widest <= COLUMN_WIDTH_MIN) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

const WIDE =
  /[\u3000-\u303f\uff01-\uff60\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Emoji}]/gu;

/** Terminal cells that a text takes, or a few more. */
function displayWidth(text: string): number {
  // Digits are Emoji too: only what is not ASCII is looked at.
  // deno-lint-ignore no-control-regex
  const other = text.replace(/[\x00-\x7f]/g, "");
  return text.length - other.length + [...other].length + (other.match(WIDE)?.length ?? 0);
}
