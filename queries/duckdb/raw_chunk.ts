/**
 * The one place that writes DuckDB's memory itself: a data chunk is filled from typed columns
 * without a JavaScript string for any text. What makes that safe:
 *
 * - A text longer than 12 bytes goes in as a pointer into its heap. The heap's arrays must live and
 *   stay as they are until the statement that reads them has ended: a RowSource promises it. Array
 *   buffers never move.
 * - Pointers are 64-bit sums of an array's address and a position: an array may cross 4 GiB.
 * - Every stretch is checked to lie within its array before it is written.
 * - Every column is checked to have values as wide as those of the type that it is for.
 * - VARCHAR must be valid UTF-8, which nothing checks from here on: whoever fills a TextColumn
 *   from bytes has checked them, and texts that were JavaScript strings are.
 *
 * Layout of a text (DuckDB's `duckdb_string_t`, 16 bytes, little-endian): length (u32), then 12
 * bytes of text, or its first 4 bytes and a pointer (u64).
 */
import type { DuckDBDataChunk } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { CHUNK_ROWS } from "./types.ts";
import { TextColumn } from "./typed_columns.ts";
import type { TypedColumn } from "./typed_columns.ts";
import type { TypedChunk } from "./row_source.ts";

const TEXT_BYTES = 16;
const INLINE_BYTES_MAX = 12;
const FOUR_GIB = 2 ** 32;

/** Says whether addresses of arrays can be had: it takes the permission for FFI. */
export function canPoint(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** Of a value, in bytes. */
const WIDTHS: Readonly<Record<string, number>> = {
  VARCHAR: TEXT_BYTES,
  BLOB: TEXT_BYTES,
  TIMESTAMP: 8,
  BIGINT: 8,
  DOUBLE: 8,
  INTEGER: 4,
  SMALLINT: 2,
  BOOLEAN: 1,
};

/** Fills data chunks, one at a time. */
export class RawChunks {
  /** The texts of one column, built here and then copied. */
  private readonly texts = new Uint32Array(CHUNK_ROWS * TEXT_BYTES / 4);
  /** A bit for each row: 0 is NULL. */
  private readonly validity = new Uint8Array(CHUNK_ROWS / 8);

  /** @param types of the columns */
  constructor(private readonly types: readonly string[]) {}

  /** Writes the first `rows` values of columns into an empty chunk. */
  fill(chunk: DuckDBDataChunk, { columns, rows }: TypedChunk): void {
    chunk.rowCount = rows; // throws above CHUNK_ROWS
    for (const [i, column] of columns.entries()) {
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, i);
      if (column !== null && widthOf(column) !== WIDTHS[this.types[i] ?? ""]) {
        throw new TypeError(`A column that is none of ${this.types[i]}`);
      }
      if (column === null) {
        this.validity.fill(0);
        this.setValidity(vector);
      } else if (column instanceof TextColumn) {
        this.fillTexts(vector, column, rows);
      } else {
        const { buffer, byteOffset, BYTES_PER_ELEMENT } = column.values;
        duckdb.copy_data_to_vector(vector, 0, buffer, byteOffset, rows * BYTES_PER_ELEMENT);
        this.fillValidity(vector, column.isNull, rows);
      }
    }
  }

  private fillTexts(vector: duckdb.Vector, { heap, start, length }: TextColumn, rows: number) {
    const { texts, validity } = this;
    const { block, added } = heap;
    const blockAddress = addressOf(block);
    const addedAddress = addressOf(added);
    const blockView = viewOf(block);
    const addedView = viewOf(added);
    let hasNulls = false;
    for (let row = 0; row < rows; row++) {
      const size = length[row]!;
      const at = row * (TEXT_BYTES / 4);
      if (size < 0) {
        if (!hasNulls) validity.fill(0xff);
        hasNulls = true;
        validity[row >> 3]! &= ~(1 << (row & 7));
        texts[at] =
          texts[at + 1] =
          texts[at + 2] =
          texts[at + 3] =
            0; // no pointer of before
        continue;
      }
      const isInBlock = start[row]! < block.length;
      const view = isInBlock ? blockView : addedView;
      const from = isInBlock ? start[row]! : start[row]! - block.length;
      if (from < 0 || from + size > view.byteLength) {
        throw new RangeError("A text outside its heap");
      }
      texts[at] = size;
      if (size <= INLINE_BYTES_MAX) {
        texts[at + 1] = word(view, from, size);
        texts[at + 2] = word(view, from + 4, size - 4);
        texts[at + 3] = word(view, from + 8, size - 8);
        continue;
      }
      texts[at + 1] = view.getUint32(from, true);
      const { high, low } = pointer(isInBlock ? blockAddress : addedAddress, from);
      texts[at + 2] = low;
      texts[at + 3] = high;
    }
    duckdb.copy_data_to_vector(vector, 0, texts.buffer, 0, rows * TEXT_BYTES);
    if (hasNulls) this.setValidity(vector);
  }

  private fillValidity(vector: duckdb.Vector, isNull: Uint8Array, rows: number) {
    const first = isNull.indexOf(1);
    if (first < 0 || first >= rows) return;
    const { validity } = this;
    validity.fill(0xff);
    for (let row = first; row < rows; row++) {
      if (isNull[row] === 1) validity[row >> 3]! &= ~(1 << (row & 7));
    }
    this.setValidity(vector);
  }

  private setValidity(vector: duckdb.Vector) {
    const { buffer, length } = this.validity;
    duckdb.vector_ensure_validity_writable(vector);
    duckdb.copy_data_to_vector_validity(vector, 0, buffer, 0, length);
  }
}

function widthOf(column: TypedColumn): number {
  return column instanceof TextColumn ? TEXT_BYTES : column.values.BYTES_PER_ELEMENT;
}

/** The next `size` bytes, 4 at most, as a number; zeros behind them. */
function word(view: DataView, from: number, size: number): number {
  if (size <= 0) return 0;
  if (size >= 4) return view.getUint32(from, true);
  let bytes = view.getUint8(from);
  if (size > 1) bytes |= view.getUint8(from + 1) << 8;
  if (size > 2) bytes |= view.getUint8(from + 2) << 16;
  return bytes;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** An address in halves of 32 bits. */
export interface Address {
  high: number;
  low: number;
}

/** The address `offset` bytes further on. */
export function pointer({ high, low }: Address, offset: number): Address {
  const sum = low + offset;
  return sum < FOUR_GIB ? { high, low: sum } : { high: high + 1, low: sum - FOUR_GIB };
}

function addressOf(bytes: Uint8Array): Address {
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>));
  return { high: Number(address >> 32n), low: Number(address & 0xffff_ffffn) };
}
