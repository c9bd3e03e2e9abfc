/** What windows ask of a host's query engine, and what comes back: the two meet here. */
import type { Column } from "../../protocol/wire/messages.ts";

/** SELECTs over the committed rows of a stretch of time. They have passed the gate. */
export interface Computation {
  /** The stream. */
  table: string;
  /** What the SELECTs call its rows. */
  view: string;
  /** Those of its columns that they read. */
  columns: readonly Column[];
  /** Half-open, UTC, ISO 8601. */
  since: string;
  until: string;
  selects: readonly string[];
  timeoutMs: number;
}

/** A result, row by row; every value as text, null for NULL. */
export type TextRows = (string | null)[][];

/**
 * Runs SELECTs, all of them or none.
 * @throws {LogvendError} bad_sql, timeout, cancelled or internal
 */
export type Computer = (computation: Computation, signal: AbortSignal) => Promise<TextRows[]>;
