/** Rows in columns, in file order: made by ingest, kept by the store until they are durable. */
import type { Column } from "../../../protocol/wire/messages.ts";
import { TextHeap } from "../../../queries/duckdb/text_heap.ts";
import {
  IntegerColumn,
  newColumn,
  TextColumn,
  WideColumn,
} from "../../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../../queries/duckdb/typed_columns.ts";

/** The column that marks rows whose lines have no time: theirs is that of arrival. */
export const ARRIVAL = "ts_arrival";

/** At most `capacity` rows. Texts are stretches of the heap. */
export class Rows<Columns extends Readonly<Record<string, TypedColumn>>> {
  /** Rows so far; what columns hold beyond them means nothing. */
  count = 0;

  constructor(
    readonly capacity: number,
    readonly heap: TextHeap,
    readonly columns: Columns,
  ) {}

  get isFull(): boolean {
    return this.count === this.capacity;
  }

  /** Forgets all rows. */
  clear(): void {
    this.count = 0;
    this.heap.clear();
    // Lines need not have every field: nothing of a row before may stay.
    for (const column of Object.values(this.columns)) column.clear(0, this.capacity);
  }

  /** Forgets all rows, and goes on with those of another block. */
  startOn(block: Uint8Array): void {
    this.clear();
    this.heap.block = block;
  }

  /** Keeps only some rows, in their order. */
  keep(isKept: (row: number) => boolean): void {
    let kept = 0;
    for (let row = 0; row < this.count; row++) {
      if (!isKept(row)) continue;
      if (kept < row) { for (const column of Object.values(this.columns)) column.move(row, kept); }
      kept++;
    }
    this.count = kept;
  }
}

/** Parsed lines of access logs, by physical column. */
export type AccessRows = Rows<AccessColumns>;
export type AccessColumns = ReturnType<typeof accessColumns>;

/** Parsed lines of any stream, by physical column. */
export type StreamRows = Rows<StreamColumns>;
export type StreamColumns =
  & ReturnType<typeof baseColumns>
  & Readonly<Record<string, TypedColumn>>;

/** Lines that no format could read, by physical column. */
export type RejectRows = Rows<ReturnType<typeof rejectColumns>>;

/** No rows, on an empty block. @param more columns beside those of all access logs */
export function newAccessRows(capacity: number, more: readonly Column[] = []): AccessRows {
  const heap = new TextHeap();
  const own = more.map(({ name, type }) => [name, newColumn(type, heap, capacity)] as const);
  return new Rows(capacity, heap, { ...Object.fromEntries(own), ...accessColumns(heap, capacity) });
}

/** No rows of these physical columns. */
export function newStreamRows(columns: readonly Column[], capacity: number): StreamRows {
  const heap = new TextHeap();
  const base = baseColumns(heap, capacity);
  const own = columns.filter(({ name }) => !(name in base))
    .map(({ name, type }) => [name, newColumn(type, heap, capacity)] as const);
  return new Rows(capacity, heap, { ...Object.fromEntries(own), ...base });
}

/** No rows; their texts are copies. */
export function newRejectRows(capacity: number): RejectRows {
  const heap = new TextHeap();
  return new Rows(capacity, heap, rejectColumns(heap, capacity));
}

/** What rows of every stream have. */
function baseColumns(heap: TextHeap, capacity: number) {
  const text = () => new TextColumn(heap, capacity);
  return {
    /** Microseconds since 1970, UTC. */
    ts: new WideColumn(capacity),
    time_zone_min: new IntegerColumn(new Int16Array(capacity)),
    /**
     * How the columns make the line up (protocol/schema/layout.ts), or "common", "combined",
     * "combined_time", "json"; NULL when `line_text` holds the line; "+redacted" behind it (then
     * "text" for NULL) when a rule changed the line.
     */
    layout: text(),
    line_text: text(),
    line_raw: text(),
    generation: text(),
    /** Where the line begins in its generation. */
    line_offset: new WideColumn(capacity),
    /** Bytes with the line end. */
    line_length: new IntegerColumn(new Int32Array(capacity)),
  };
}

function accessColumns(heap: TextHeap, capacity: number) {
  const text = () => new TextColumn(heap, capacity);
  return {
    ...baseColumns(heap, capacity),
    remote_addr: text(),
    remote_user: text(),
    http_method: text(),
    request: text(),
    http_version: text(),
    status: new IntegerColumn(new Int32Array(capacity)),
    body_bytes_sent: new WideColumn(capacity),
    http_referer: text(),
    http_user_agent: text(),
    request_time_ms: new IntegerColumn(new Int32Array(capacity)),
  };
}

function rejectColumns(heap: TextHeap, capacity: number) {
  const text = () => new TextColumn(heap, capacity);
  return {
    ts: new WideColumn(capacity),
    stream: text(),
    file: text(),
    reason: text(),
    length: new WideColumn(capacity),
    line: text(),
    generation: text(),
    line_offset: new WideColumn(capacity),
  };
}
