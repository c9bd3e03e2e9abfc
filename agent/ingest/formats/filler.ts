/** What turns a line's text into a row, whatever its format. */
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import type { StreamRows } from "../../store/rows/rows.ts";
import type { RejectReason } from "./row.ts";

/** A line that was read. */
export interface FilledLine {
  /** Microseconds since 1970, UTC. */
  ts: bigint;
  /** Whether the line says when; else it is the time of its arrival. */
  isTimed: boolean;
  /** Whether a rule changed anything: then nothing of the original may be kept. */
  isRedacted: boolean;
  /** How the columns make the line up; null: they do not. */
  layout: string | null;
  /** The line's text as it may be kept; null where the layout makes it up. */
  line: string | null;
  /** Fills the row behind the last one, but for where it comes from. */
  set(rows: StreamRows): void;
}

/** Reads lines from their bytes, where that gives the very rows that `read` gives. */
export interface RowScanner {
  /**
   * Adds the lines from `start` on, until one is not for it or the rows are full. Returns where the
   * first line that was not added begins. The rows' block is valid UTF-8 and has a line end before
   * `end`, which lies behind a line end; `offset` is where the block begins in its file.
   */
  scan(rows: StreamRows, start: number, end: number, offset: number): number;
}

export interface RowFiller {
  /** Null where every line must be looked at as text. */
  readonly scanner: RowScanner | null;
  /** What rows are made of so far. */
  readonly shape: StreamShape;
  newRows(capacity: number): StreamRows;
  /** Whether rows have all the columns that lines turned out to have. */
  fits(rows: StreamRows): boolean;
  /**
   * Reads a line without its end.
   * @param isExact whether the text is the very line, and not what is left of invalid UTF-8
   */
  read(text: string, isExact: boolean): FilledLine | RejectReason;
}
