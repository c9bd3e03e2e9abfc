/**
 * Reads a result's columns as they lie in DuckDB's memory, without a JavaScript value for each of them.
 * What is returned are copies: they outlive the chunk.
 */
import type { DuckDBDataChunk } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";

/** Of a text: its length, then 12 bytes of it, or its first 4 and a pointer to all of it. */
const TEXT_BYTES = 16;
const INLINE_BYTES_MAX = 12;
const POINTER_AT = 8;

/** A column of a chunk. */
export interface RawVector {
  /** A bit for each row, the lowest first: 0 is NULL. None: there are no NULLs. */
  validity: Uint8Array | null;
  nullCount: number;
  /** Values of fixed width, one after the other; of texts and blobs their bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Of texts and blobs: where each begins, and the last one ends. */
  offsets: Int32Array | null;
}

/** Rows as columns. */
export interface RawChunk {
  rows: number;
  columns: RawVector[];
}

/** @param widths of the values in bytes, column by column; null: texts or blobs */
export function rawChunk(chunk: DuckDBDataChunk, widths: readonly (number | null)[]): RawChunk {
  const columns = widths.map((width, i) => rawVector(chunk, i, width));
  return { rows: chunk.rowCount, columns };
}

function rawVector(chunk: DuckDBDataChunk, column: number, width: number | null): RawVector {
  const { rowCount } = chunk;
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
  const validity = validityOf(vector, rowCount);
  const nullCount = validity === null ? 0 : rowCount - onesOf(validity, rowCount);
  const data = duckdb.vector_get_data(vector, rowCount * (width ?? TEXT_BYTES));
  if (width !== null) return { validity, nullCount, bytes: new Uint8Array(data), offsets: null };
  return { validity, nullCount, ...texts(data, rowCount, validity) };
}

function validityOf(vector: duckdb.Vector, rowCount: number): Uint8Array | null {
  const bytes = duckdb.vector_get_validity(vector, 8 * Math.ceil(rowCount / 64));
  return bytes ? new Uint8Array(bytes.subarray(0, Math.ceil(rowCount / 8))) : null;
}

function onesOf(bits: Uint8Array, count: number): number {
  let ones = 0;
  for (let i = 0; i < count; i++) ones += (bits[i >> 3]! >> (i & 7)) & 1;
  return ones;
}

function texts(data: Uint8Array, rowCount: number, validity: Uint8Array | null) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 0, end = 0; row < rowCount; row++) {
    const isNull = validity !== null && ((validity[row >> 3]! >> (row & 7)) & 1) === 0;
    end += isNull ? 0 : view.getUint32(row * TEXT_BYTES, true);
    offsets[row + 1] = end;
  }
  const bytes = new Uint8Array(offsets[rowCount]!);
  for (let row = 0; row < rowCount; row++) {
    const length = offsets[row + 1]! - offsets[row]!;
    if (length === 0) continue;
    const at = row * TEXT_BYTES;
    const text = length <= INLINE_BYTES_MAX
      ? data.subarray(at + 4, at + 4 + length)
      : duckdb.get_data_from_pointer(
        data.buffer as ArrayBuffer, // of DuckDB's vector: never shared
        data.byteOffset + at + POINTER_AT,
        length,
      );
    bytes.set(text, offsets[row]!);
  }
  return { bytes, offsets };
}
