/** Which row groups of an archived chunk can hold what is wanted, and which bytes that takes. */
import { shapeOfColumns } from "../restore/file_shape.ts";
import type { ColumnTexts } from "../plan/reach.ts";
import type { ColumnChunk, Footer, RowGroup } from "./footer.ts";
import { unite } from "../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";

/** What a query wants of chunks of one table. */
export interface Want {
  /** Names of physical columns. */
  columns: ReadonlySet<string>;
  /** Of `ts`, half-open; infinite: unbounded. */
  sinceUs: number;
  untilUs: number;
  /** By column: rows that matter have one of these texts. */
  values: ColumnTexts;
}

/**
 * What of such values can be looked for in the texts that a file has stored. A column of numbers has
 * none; and a number in a column that has become text reads as its line has it: `5.10`, stored as `5.1`.
 */
export function storedValues(
  { columns }: Pick<Footer, "columns">,
  values: ColumnTexts,
): ColumnTexts {
  const texts = new Set(columns.flatMap(({ name, type }) => type === "VARCHAR" ? [name] : []));
  const own = new Set(shapeOfColumns(columns).fields.map(({ name }) => name));
  return Object.fromEntries(
    Object.entries(values).filter(([column, of]) =>
      texts.has(column) && !(own.has(column) && of.some((value) => NUMBER.test(value)))
    ),
  );
}

/** As layouts write numbers, and DuckDB does. */
const NUMBER = /^[-+]?(\d+(\.\d*)?(e[-+]?\d+)?|inf(inity)?|nan)$/i;

/** Row groups that time and the smallest and largest texts do not rule out. */
export function chooseRowGroups(
  { rowGroups }: Pick<Footer, "rowGroups">,
  want: Omit<Want, "columns">,
): RowGroup[] {
  const asked = Object.entries(want.values);
  return rowGroups.filter((group) =>
    group.lastUs >= want.sinceUs && group.firstUs < want.untilUs &&
    asked.every(([column, values]) => {
      const chunk = group.columns.get(column);
      return chunk === undefined || values.some((value) => mayHold(chunk, value));
    })
  );
}

/** The bytes of the wanted columns of some row groups. */
export function rangesOf(groups: readonly RowGroup[], columns: ReadonlySet<string>): ByteRange[] {
  return unite(
    groups.flatMap((group) =>
      [...group.columns].flatMap(([name, chunk]) => columns.has(name) ? [chunk] : [])
    ),
  );
}

/** Parquet orders texts by their bytes, JavaScript by UTF-16: of printable ASCII that is the same. */
const ASCII = /^[ -~]*$/;

/** Whether a text may be among others that lie between two. */
export function mayHold({ min, max }: Pick<ColumnChunk, "min" | "max">, value: string): boolean {
  if (min === null || max === null || ![min, max, value].every((text) => ASCII.test(text))) {
    return true;
  }
  return min <= value && value <= max;
}
