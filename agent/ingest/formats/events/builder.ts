/** Collects the fields and pieces of a line while a parser goes through it. */
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import { CITY, COUNTRY } from "../../../geo/geo_names.ts";
import { ARRIVAL } from "../../../store/rows/rows.ts";
import type { Event, EventTime, Field } from "./event.ts";
import type { ReadTime } from "./event_time.ts";
import { typedValue } from "./values.ts";
import type { TypedValue } from "./values.ts";

/** Where the time stands when it says more than `ts` holds: nanoseconds, a rare form. */
export const TIME_TEXT = "time_text";

/** Of access logs, in milliseconds. */
const REQUEST_TIME = "request_time_ms";

/**
 * Taken by columns that every stream has or may be given, or by the folders that chunks lie in:
 * fields of these names get `log_` in front.
 */
const RESERVED = new Set([
  "ts",
  "host",
  "region",
  "stream",
  "date",
  "hour",
  "line",
  "line_bytes",
  "time_zone_min",
  "layout",
  "line_text",
  "line_raw",
  "generation",
  "line_offset",
  "line_length",
  "time_local",
  REQUEST_TIME,
  TIME_TEXT,
  ARRIVAL,
  COUNTRY,
  CITY,
]);

/** Longer names are no column. */
const NAME_LENGTH_MAX = 120;

/** The column of a field; null: the field stays in the line alone. */
export function columnName(field: string): string | null {
  const lower = field.toLowerCase();
  if (lower === "" || lower.length > NAME_LENGTH_MAX || lower.includes("\0")) return null;
  // What every JavaScript object has is no name of a column either.
  const isTaken = RESERVED.has(lower) || field in Object.prototype;
  return isTaken ? `log_${field}` : field.toWellFormed();
}

export class EventBuilder {
  private readonly fields: Field[] = [];
  private readonly pieces: LayoutPiece[] = [];
  private readonly names = new Set<string>();
  private readonly unnamed: string[] = [];
  private isWhole = true;
  private foundTime: EventTime | null = null;

  /** Adds what stands between fields. */
  literal(text: string): void {
    const last = this.pieces.at(-1);
    if (text === "") return;
    if (typeof last === "string") this.pieces[this.pieces.length - 1] = last + text;
    else this.pieces.push(text);
  }

  /** Says that the line has something that no piece writes. */
  notBuilt(): void {
    this.isWhole = false;
  }

  /** Adds a field with a value as text. `raw`: how the line has it. */
  text(name: string, value: string, kind: "text" | "json" | null = "text", raw = value): void {
    this.value(name, { type: "VARCHAR", value, kind }, raw);
  }

  /** Adds a field whose value tells its type. */
  word(name: string, word: string): void {
    this.value(name, typedValue(word), word);
  }

  /** Adds a field. A second one of its name stays in the line. */
  value(name: string, { type, value, kind }: TypedValue, raw: string): void {
    const column = columnName(name);
    const key = column?.toLowerCase() ?? "";
    if (column === null || this.names.has(key)) {
      this.unnamed.push(column === null ? name.toLowerCase() : key);
      return this.literal(raw);
    }
    this.names.add(key);
    this.fields.push({ name: column, type, value, raw });
    if (kind === null) this.isWhole = false;
    this.pieces.push([column, kind ?? "text"]);
  }

  /** Adds a field that the line does not have as it is, unless one of its name was there. */
  derived(field: Field): void {
    const key = field.name.toLowerCase();
    if (this.names.has(key)) return;
    this.names.add(key);
    this.fields.push(field);
  }

  /** Adds a name that stands alone: true. */
  mark(name: string): void {
    const column = columnName(name);
    if (column !== null) this.derived({ name: column, type: "BOOLEAN", value: true });
  }

  /** Adds the milliseconds that a request took, in the column of all access logs. */
  requestTime(ms: number, kind: "seconds" | null, raw: string): void {
    this.fields.push({ name: REQUEST_TIME, type: "INTEGER", value: ms, raw });
    if (kind !== null) this.pieces.push([REQUEST_TIME, kind]);
  }

  /** Adds the time of the line. */
  time({ ts, zoneMin, kind }: ReadTime, raw: string): void {
    this.foundTime = { ts, zoneMin, raw };
    if (kind !== null) {
      this.pieces.push(["ts", kind]);
      return;
    }
    this.fields.push({ name: TIME_TEXT, type: "VARCHAR", value: raw });
    this.pieces.push([TIME_TEXT, "text"]);
  }

  build(): Event {
    return {
      time: this.foundTime,
      fields: this.fields,
      unnamed: this.unnamed,
      pieces: this.isWhole ? this.pieces : null,
    };
  }
}
