/** A line of any log, taken apart: fields with their types, and how they make the line up again. */
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import type { RejectReason } from "../row.ts";

/** Types of fields, as columns have them. */
export type FieldType = "VARCHAR" | "BIGINT" | "DOUBLE" | "BOOLEAN" | "INTEGER" | "SMALLINT";

/** A value by its name in the line. */
export interface Field {
  /** Of the column. */
  name: string;
  type: FieldType;
  value: string | number | boolean;
  /** How the line has it, when that is not `value` as text. */
  raw?: string;
}

/** The time of a line. */
export interface EventTime {
  /** Microseconds since 1970, UTC. */
  ts: bigint;
  /** Minutes east of UTC. */
  zoneMin: number;
  /** As the line has it. */
  raw: string;
}

/** A parsed line. */
export interface Event {
  /** Null: the line has none. */
  time: EventTime | null;
  fields: Field[];
  /** Names in lower case of values that the line has beside its fields: second ones, odd names. */
  unnamed: string[];
  /** The line as texts and fields; null: it cannot be made up of them. */
  pieces: LayoutPiece[] | null;
}

/** A line's text, without its end, to its fields or to the reason why there are none. */
export type EventParser = (line: string) => Event | RejectReason;
