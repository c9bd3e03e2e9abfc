/** What the rows of a stream are made of, as the host that wrote them has found. */
import { z } from "zod";
import { Column } from "../wire/messages.ts";

/** Columns of its own, and the ways their lines are built. */
export const StreamShape = z.object({
  /** Whether rows have the columns of access logs. */
  access: z.boolean(),
  /** Columns beyond those, in the order they were first seen in; their types only widen. */
  fields: z.array(Column),
  /** How lines are made up of columns (layout.ts). */
  layouts: z.array(z.string()),
});
/** The same, parsed. */
export type StreamShape = z.infer<typeof StreamShape>;

/** Access logs without more. */
export const ACCESS_SHAPE: StreamShape = { access: true, fields: [], layouts: [] };

/** Nothing is known yet. */
export const EMPTY_SHAPE: StreamShape = { access: false, fields: [], layouts: [] };

/** More columns in one table slow every query down; what is beyond them is in `line`. */
export const FIELDS_MAX = 250;

/** Numbers, each of which holds the values of those before it. */
const NUMBERS = ["SMALLINT", "INTEGER", "BIGINT", "DOUBLE"];

/** The narrowest type that holds the values of both. */
export function widest(a: string, b: string): string {
  if (a === b) return a;
  const [first, second] = [NUMBERS.indexOf(a), NUMBERS.indexOf(b)];
  return first < 0 || second < 0 ? "VARCHAR" : NUMBERS[Math.max(first, second)] ?? "VARCHAR";
}

/** Columns by name, in the order of their first sight, wide enough for all. */
export function uniteColumns(lists: readonly (readonly Column[])[]): Column[] {
  const united = new Map<string, Column>();
  for (const { name, type } of lists.flat()) {
    const key = name.toLowerCase();
    const known = united.get(key);
    united.set(key, { name: known?.name ?? name, type: widest(known?.type ?? type, type) });
  }
  return [...united.values()];
}

/** What two parts of one stream have together. */
export function uniteShapes(a: StreamShape, b: StreamShape): StreamShape {
  return {
    access: a.access || b.access,
    fields: uniteColumns([a.fields, b.fields]),
    layouts: [...new Set([...a.layouts, ...b.layouts])],
  };
}
