/**
 * How a line is made up of the columns of its row: literal texts and values by turns. In the column
 * `layout` it stands as JSON: `["level=",["level","text"]," ms=",["took","whole"]]`.
 */
import { z } from "zod";
import { identifier, literal } from "./table_sql.ts";

/**
 * How a value is written:
 * - `text` as it is; `json` as JSON writes it between quotes
 * - `whole` as an integer; `decimal` as the shortest number; `fixed1` … `fixed9` with so many decimals
 * - `flag` true or false; `seconds` milliseconds as `1.234`
 * - of `ts` in the line's own zone: `nginx` `10/Oct/2000:13:55:36 -0700`; `iso`, the number of
 *   decimals, what stands between date and clock, and `Z`, `+00:00`, `+0000` or nothing for the zone:
 *   `iso3TZ`; `epoch`, `epoch3`, `epoch6` seconds since 1970 with so many decimals; `epoch_ms`;
 *   `bsd` `Oct  9 13:55:36`; `bsd0` `Oct 09 13:55:36`
 */
export type ValueKind = string;

const NUMBER = /^(whole|decimal|fixed\d)$/;

const Piece = z.union([z.string(), z.tuple([z.string(), z.string()])]);
/** A text, or the name of a column and how its value is written. */
export type LayoutPiece = z.infer<typeof Piece>;

const Layout = z.array(Piece);

/** The layout as it is stored. */
export function layoutText(pieces: readonly LayoutPiece[]): string {
  return JSON.stringify(pieces);
}

/**
 * Layouts that no line has, by which the schema knows of columns that they may hold numbers: a chunk
 * does not tell whether some other has such a layout, and must read the same beside any.
 */
export function numberLayouts(names: readonly string[]): string[] {
  return names.map((name) => layoutText([[name, "decimal"]]));
}

/** The pieces of a stored layout; null: it is one of those with a name. */
export function layoutPieces(text: string): LayoutPiece[] | null {
  return text.startsWith("[") ? Layout.parse(JSON.parse(text)) : null;
}

/** The line as an SQL expression over physical columns. */
export function layoutSql(text: string): string {
  const pieces = layoutPieces(text) ?? [];
  const parts = pieces.map((piece) => typeof piece === "string" ? textSql(piece) : valueSql(piece));
  return `concat(${["''", ...parts].join(", ")})`;
}

/** By column, in lower case, how a layout writes numbers that are stored as such. */
export function numberKinds(text: string): Map<string, ValueKind> {
  const values = (layoutPieces(text) ?? []).filter((piece) => typeof piece !== "string");
  return new Map(
    values.filter(([, kind]) => NUMBER.test(kind)).map((
      [name, kind],
    ) => [name.toLowerCase(), kind]),
  );
}

/** SQL ends at a zero byte. */
function textSql(text: string): string {
  return text.split("\0").map(literal).join(", chr(0), ");
}

const LOCAL = "(ts + to_minutes(coalesce(time_zone_min, 0)))";

/** A value as its line has it: one SQL expression over physical columns, or several, with commas. */
export function valueSql([name, kind]: readonly [string, ValueKind]): string {
  const column = identifier(name);
  if (kind.startsWith("iso")) return isoSql(kind);
  if (kind.startsWith("fixed")) return `format('{:.${kind.slice(5)}f}', ${column}::DOUBLE)`;
  switch (kind) {
    case "text":
      return column;
    case "json":
      return `(to_json(${column})::VARCHAR)[2:-2]`;
    case "whole":
      return `${column}::BIGINT::VARCHAR`;
    case "decimal":
      return `${column}::DOUBLE::VARCHAR`;
    case "flag":
      return `${column}::BOOLEAN::VARCHAR`;
    case "seconds":
      return `format('{:d}.{:03d}', ${column} // 1000, ${column} % 1000)`;
    case "nginx":
      return `strftime(${LOCAL}, '%d/%b/%Y:%H:%M:%S '), ${zoneSql("")}`;
    case "bsd":
      return `strftime(${LOCAL}, '%b '), lpad(day(${LOCAL})::VARCHAR, 2, ' '),
        strftime(${LOCAL}, ' %H:%M:%S')`;
    case "bsd0":
      return `strftime(${LOCAL}, '%b %d %H:%M:%S')`;
    case "epoch":
      return "(epoch_us(ts) // 1000000)::VARCHAR";
    case "epoch3":
      return "format('{:d}.{:03d}', epoch_us(ts) // 1000000, (epoch_us(ts) // 1000) % 1000)";
    case "epoch6":
      return "format('{:d}.{:06d}', epoch_us(ts) // 1000000, epoch_us(ts) % 1000000)";
    case "epoch_ms":
      return "(epoch_us(ts) // 1000)::VARCHAR";
    default:
      throw new Error(`No such kind of value: ${kind}`);
  }
}

/** `iso3TZ`: decimals, separator, zone. */
function isoSql(kind: string): string {
  const [, decimals = "", separator = "", zone = ""] = /^iso(\d)(.)(.*)$/.exec(kind) ?? [];
  const digits = Number(decimals);
  return [
    `strftime(${LOCAL}, ${literal(`%Y-%m-%d${separator}%H:%M:%S`)})`,
    ...(digits === 0 ? [] : ["'.'", `left(strftime(ts, '%f'), ${digits})`]),
    ...(zone === "Z" ? ["'Z'"] : zone === "" ? [] : [zoneSql(zone === "+00:00" ? ":" : "")]),
  ].join(", ");
}

function zoneSql(separator: string): string {
  const zone = "coalesce(time_zone_min, 0)";
  return `format('{}{:02d}${separator}{:02d}', if(${zone} < 0, '-', '+'), abs(${zone}) // 60,
    abs(${zone}) % 60)`;
}
