/** Parsed access log lines in columns, in file order: made by ingest, taken by the store. */
import { TextHeap } from "../../queries/duckdb/text_heap.ts";
import { IntegerColumn, TextColumn, WideColumn } from "../../queries/duckdb/typed_columns.ts";

/** One column for each physical column that ingest fills. */
export type AccessColumns = ReturnType<typeof newColumns>;

/**
 * At most `capacity` rows. Texts are stretches of `heap`, whose block is the lines themselves: it
 * must stay as it is until a sink has taken the rows.
 */
export class AccessRows {
  /** Rows so far; what columns hold beyond them means nothing. */
  count = 0;
  readonly heap: TextHeap;
  readonly columns: AccessColumns;

  constructor(readonly capacity: number, block: Uint8Array = new Uint8Array()) {
    this.heap = new TextHeap(block);
    this.columns = newColumns(this.heap, capacity);
  }

  get isFull(): boolean {
    return this.count === this.capacity;
  }

  /** Forgets all rows. */
  clear(): void {
    this.count = 0;
    this.heap.clear();
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

function newColumns(heap: TextHeap, capacity: number) {
  const text = () => new TextColumn(heap, capacity);
  const integer = () => new IntegerColumn(new Int32Array(capacity));
  return {
    /** Microseconds since 1970, UTC. */
    ts: new WideColumn(capacity),
    remote_addr: text(),
    remote_user: text(),
    http_method: text(),
    request: text(),
    http_version: text(),
    status: integer(),
    body_bytes_sent: new WideColumn(capacity),
    http_referer: text(),
    http_user_agent: text(),
    request_time_ms: integer(),
    time_zone_min: new IntegerColumn(new Int16Array(capacity)),
    /**
     * "combined", "combined_time", "json", or NULL when `line_text` holds the line; "+redacted"
     * behind it (then "text" for NULL) when a rule changed the line.
     */
    layout: text(),
    line_text: text(),
    line_raw: text(),
    line_offset: new WideColumn(capacity),
    /** Bytes with the line end. */
    line_length: integer(),
  };
}
