/** What a plan is: who runs which SQL, and what comes out. */
import type { Column } from "../../protocol/wire/messages.ts";
import type { Bounds } from "./range.ts";
import type { Reach } from "./reach.ts";

/** What one host runs, over tables named like the streams, and the shape of what comes out. */
export interface Partial {
  /** The table that the merge reads; hosts' rows are loaded into it. */
  table: string;
  sql: string;
  columns: Column[];
}

export interface Plan {
  /**
   * `host_complete` and `aggregate` ship groups: in the former some of them are each host's own, or
   * the rows of windows over each host.
   * `top_k` ships the first rows. `rows` ships the needed rows: its size grows with the data.
   * `catalog` asks which tables and columns there are: no host has to be asked, `mergeSql` holds
   * the answer.
   */
  mode: "host_complete" | "aggregate" | "top_k" | "rows" | "catalog";
  /**
   * Why rows: "string_agg(request) at 1:8 cannot be merged from partial results". Null where the size
   * does not grow with the data.
   */
  reason: string | null;
  /** Base tables that the SQL reads. */
  tables: string[];
  /** The columns that it may read, by table. */
  columnsRead: Record<string, Column[]>;
  /** What the hosts' tables are cut to, half-open over `ts`. */
  range: Bounds;
  /** What of it the SQL's own conditions let the query reach. */
  reach: Reach;
  partials: Partial[];
  /** Runs over the partial tables, each holding the rows of all hosts. */
  mergeSql: string;
  /** Whether the merge may be at work for long without heeding an interrupt (heavy.ts). */
  isHeavy: boolean;
  /** Names and types of the answer: those that one DuckDB holding every row would give. */
  columns: Column[];
}

/** What every plan of one request has in common. */
export type Frame = Pick<
  Plan,
  "tables" | "columnsRead" | "range" | "reach" | "columns" | "isHeavy"
>;

/** The columns that the SQL sees of a table. */
export type Shown = (table: string) => readonly Column[];

/** The names of columns. */
export function namesOf(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name);
}
