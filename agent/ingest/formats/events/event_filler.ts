/** Fills rows with the fields of lines, in columns that grow with what the lines have. */
import { redactedLayout } from "../../../../protocol/schema/streams.ts";
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import {
  DoubleColumn,
  IntegerColumn,
  TextColumn,
  WideColumn,
} from "../../../../queries/duckdb/typed_columns.ts";
import type { Redactor } from "../../../rules/redact.ts";
import { ARRIVAL, newStreamRows } from "../../../store/rows/rows.ts";
import type { StreamRows } from "../../../store/rows/rows.ts";
import type { FilledLine, RowFiller, RowScanner } from "../filler.ts";
import type { RejectReason } from "../row.ts";
import { soundJson } from "../sound_json.ts";
import type { Event, EventParser, Field } from "./event.ts";
import type { Learner } from "./learner.ts";
import { quoted, rendered } from "./render.ts";
import { LayoutScanner } from "./scan/layout_scanner.ts";
import type { ScanGrammar } from "./scan/template.ts";

export interface EventFillerOptions {
  parse: EventParser;
  learner: Learner;
  redactor: Redactor | null;
  /** Null: lines of this format are not read from their bytes. */
  grammar: ScanGrammar | null;
  /** Whether lines are JSON, and stay that when values are replaced. */
  isJson: boolean;
  nowMs: () => number;
}

export class EventFiller implements RowFiller {
  /** Columns by the rows that were made for them. */
  private readonly made = new WeakMap<StreamRows, unknown>();

  readonly scanner: RowScanner | null;

  constructor(private readonly options: EventFillerOptions) {
    const { grammar, redactor } = options;
    const isScanned = grammar !== null && redactor === null;
    this.scanner = isScanned ? new LayoutScanner({ ...options, grammar }) : null;
  }

  get shape() {
    return this.options.learner.shape;
  }

  newRows(capacity: number): StreamRows {
    const { physical } = this.options.learner;
    const rows = newStreamRows(physical, capacity);
    this.made.set(rows, physical);
    return rows;
  }

  fits(rows: StreamRows): boolean {
    return this.made.get(rows) === this.options.learner.physical;
  }

  read(original: string, isExact: boolean): FilledLine | RejectReason {
    const { learner, redactor, nowMs } = this.options;
    const { text, event } = this.parsed(original);
    if (typeof event === "string") return event;
    const isReplaced = redactor !== null && this.replaceFields(event, redactor);
    if (event.time === null) event.fields.push({ name: ARRIVAL, type: "BOOLEAN", value: true });
    const { physical } = learner;
    learner.learn(event.fields);
    const isReadAgain = learner.physical !== physical; // with rows that have its columns
    const isRedacted = isReplaced || text !== original;
    const isText = !isReadAgain && (isExact || isRedacted);
    const layout = this.layoutOf(event, isText ? text : null, isReplaced);
    const ts = event.time?.ts ?? BigInt(nowMs()) * 1_000n;
    return {
      ts,
      isTimed: event.time !== null,
      isRedacted,
      line: layout !== null ? null : isReplaced ? replacedLine(event) : text,
      layout: isRedacted ? redactedLayout(layout) : layout,
      set: (rows) => setFields(rows, ts, event),
    };
  }

  /** The line as it may be kept, taken apart. */
  private parsed(original: string): { text: string; event: Event | RejectReason } {
    const { parse, redactor, isJson } = this.options;
    const text = redactor?.text(original) ?? original;
    const event = parse(text);
    const isBroken = event === "bad_json" && text !== original && isJson;
    if (!isBroken || typeof parse(original) === "string") return { text, event };
    const sound = soundJson(text);
    return { text: sound, event: parse(sound) };
  }

  private replaceFields(event: Event, redactor: Redactor): boolean {
    const names = replacedFields(event, redactor);
    const isUnnamed = event.unnamed.some((name) => redactor.fields.has(name));
    if (isUnnamed) event.pieces = null; // they have the value
    if (event.pieces !== null && this.options.isJson) event.pieces = quoted(event.pieces, names);
    return isUnnamed || names.size > 0;
  }

  /** Null: the line is kept whole. @param text null where the line is no text */
  private layoutOf(event: Event, text: string | null, isReplaced: boolean): string | null {
    const { learner } = this.options;
    if (event.pieces === null || text === null) return null;
    if (event.fields.some((field) => learner.columnOf(field) === undefined)) return null;
    if (!isReplaced && rendered(event.pieces, event) !== text) return null;
    return learner.layoutOf(event.pieces.map((piece) => this.stored(piece)));
  }

  /** A piece as the column's type has it: what became text is written as text. */
  private stored(piece: LayoutPiece): LayoutPiece {
    if (typeof piece === "string") return piece;
    const [name, kind] = piece;
    const column = this.options.learner.columnOf({ name });
    if (column === undefined || kind === "json" || column.type !== "VARCHAR") {
      return column === undefined ? piece : [column.name, kind];
    }
    return [column.name, "text"];
  }
}

/** Replaces what rules are for; the names of what there was. */
function replacedFields(event: Event, redactor: Redactor): Set<string> {
  const names = new Set<string>();
  for (const field of event.fields) {
    const replace = redactor.fields.get(field.name.toLowerCase());
    const text = field.type === "VARCHAR" ? String(field.value) : field.raw ?? String(field.value);
    const value = replace?.(text) ?? text;
    if (value === text) continue;
    field.value = value;
    field.type = "VARCHAR";
    delete field.raw;
    names.add(field.name);
  }
  return names;
}

/** What may be kept of a line in which values were replaced. */
function replacedLine(event: Event): string {
  if (event.pieces !== null) return rendered(event.pieces, event);
  const own = event.fields.filter(({ name }) => name !== ARRIVAL);
  return JSON.stringify(Object.fromEntries(own.map(({ name, value }) => [name, value])));
}

function setFields(rows: StreamRows, ts: bigint, { time, fields }: Event) {
  const { columns, count } = rows;
  columns.ts.set(count, ts);
  columns.time_zone_min.set(count, time?.zoneMin ?? 0);
  for (const field of fields) setField(rows, field);
}

function setField({ columns, count }: StreamRows, { name, value, raw }: Field) {
  const column = columns[name] ?? columnLike(columns, name);
  if (column instanceof TextColumn) {
    column.set(count, typeof value === "string" ? value : raw ?? String(value));
  } else if (column instanceof WideColumn) column.set(count, BigInt(value));
  else if (column instanceof DoubleColumn || column instanceof IntegerColumn) {
    column.set(count, Number(value));
  }
}

/** Names differ in case at most. */
function columnLike(columns: StreamRows["columns"], name: string) {
  const lower = name.toLowerCase();
  return Object.entries(columns).find(([other]) => other.toLowerCase() === lower)?.[1];
}
