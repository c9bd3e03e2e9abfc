/** Draws rows as a table for people. */
import type { Column } from "../../protocol/messages.ts";

/** A value as JSON answers hold it. Numbers that a double cannot hold exactly are strings. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | JsonValue[]
  | { [key: string]: JsonValue };

export interface TableLook {
  /** Columns of the terminal; rows are cut to it. Without it nothing is cut. */
  width?: number;
  /** Dims NULL. @default false */
  color?: boolean;
}

/** The header, the rows and the closing `(2 rows)`; ends with a newline. */
export function renderTable(
  _columns: readonly Column[],
  _rows: readonly Record<string, JsonValue>[],
  _look: TableLook = {},
): string {
  throw new Error("being written");
}
