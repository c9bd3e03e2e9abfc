/** Columns of values as typed arrays: what a scanner fills and DuckDB takes without conversion. */
import { TextHeap } from "./text_heap.ts";
import type { DuckDBValue } from "./types.ts";
import { blobValue, timestampValue } from "./types.ts";

/** Some rows of a column. */
export interface RowRange {
  start: number;
  count: number;
}

/** How positions in one heap become those in another. */
export interface TextShift {
  /** For stretches of the block. */
  block: number;
  /** For those behind it. */
  added: number;
}

/** Texts or BLOBs: a stretch of the heap for each row. */
export class TextColumn {
  /** Where it begins in the heap. */
  readonly start: Int32Array<ArrayBuffer>;
  /** In bytes; -1 is NULL. */
  readonly length: Int32Array<ArrayBuffer>;

  constructor(readonly heap: TextHeap, capacity: number) {
    this.start = new Int32Array(capacity);
    this.length = new Int32Array(capacity).fill(-1);
  }

  /** Null for NULL. */
  set(row: number, text: string | null): void {
    this.length[row] = text === null ? -1 : this.heap.add(text);
    this.start[row] = this.heap.lastStart;
  }

  /** A stretch of the heap. */
  setStretch(row: number, start: number, length: number): void {
    this.start[row] = start;
    this.length[row] = length;
  }

  /** The bytes of a row; null for NULL. They are those of the heap, no copy. */
  bytes(row: number): Uint8Array | null {
    const length = this.length[row] ?? -1;
    return length < 0 ? null : this.heap.stretch(this.start[row] ?? 0, length);
  }

  /** Null for NULL. */
  text(row: number): string | null {
    const bytes = this.bytes(row);
    return bytes === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  /** Makes rows NULL. */
  clear(start: number, count: number): void {
    this.length.fill(-1, start, start + count);
  }

  move(from: number, to: number): void {
    this.start[to] = this.start[from] ?? 0;
    this.length[to] = this.length[from] ?? -1;
  }

  /** Takes rows of a column whose texts, if it has any, are in this heap already. */
  copy(from: TypedColumn, { start, count }: RowRange, to: number, shift: TextShift): void {
    if (!(from instanceof TextColumn)) {
      for (let i = 0; i < count; i++) {
        const value = from.value(start + i);
        this.set(to + i, value === null ? null : valueText(from, value));
      }
      return;
    }
    const blockLength = from.heap.block.length;
    for (let i = 0; i < count; i++) {
      const at = from.start[start + i]!;
      this.start[to + i] = at + (at < blockLength ? shift.block : shift.added);
      this.length[to + i] = from.length[start + i]!;
    }
  }
}

/** A value as the text that DuckDB casts it to. */
function valueText(column: Exclude<TypedColumn, TextColumn>, value: number | bigint): string {
  if (column instanceof DoubleColumn) return doubleText(Number(value));
  return String(column.values instanceof Int8Array ? value === 1 : value);
}

/** Of numbers of 15 digits at most. */
function doubleText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  if (Number.isInteger(value)) return `${value}.0`;
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}

/** Whole numbers of up to 32 bits; of 8 bits, 1 for true and 0 for false. */
export class IntegerColumn<
  Values extends Int8Array<ArrayBuffer> | Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
> {
  /** 1 for NULL. */
  readonly isNull: Uint8Array;

  constructor(readonly values: Values) {
    this.isNull = new Uint8Array(values.length).fill(1);
  }

  /** Null for NULL. */
  set(row: number, value: number | null): void {
    this.values[row] = value ?? 0;
    this.isNull[row] = value === null ? 1 : 0;
  }

  /** DuckDB takes it for NULL, as it derives from others; `values` has it. */
  setHidden(row: number, value: number): void {
    this.values[row] = value;
    this.isNull[row] = 1;
  }

  value(row: number): number | null {
    return this.isNull[row] === 1 ? null : this.values[row] ?? 0;
  }

  /** Makes rows NULL. */
  clear(start: number, count: number): void {
    this.isNull.fill(1, start, start + count);
  }

  move(from: number, to: number): void {
    this.values[to] = this.values[from] ?? 0;
    this.isNull[to] = this.isNull[from] ?? 1;
  }

  /** Takes rows of a column of the same kind. */
  copy(from: TypedColumn, { start, count }: RowRange, to: number): void {
    if (!(from instanceof IntegerColumn)) throw new TypeError("Columns of two kinds");
    this.values.set(from.values.subarray(start, start + count), to);
    this.isNull.set(from.isNull.subarray(start, start + count), to);
  }
}

/** Whole numbers of 64 bits, and timestamps: microseconds since 1970. */
export class WideColumn {
  readonly values: BigInt64Array<ArrayBuffer>;
  /** 1 for NULL. */
  readonly isNull: Uint8Array;
  /** The same memory, low half first: writing it makes no bigint. */
  private readonly halves: Uint32Array;

  constructor(capacity: number) {
    this.values = new BigInt64Array(capacity);
    this.isNull = new Uint8Array(capacity).fill(1);
    this.halves = new Uint32Array(this.values.buffer);
  }

  /** Null for NULL. */
  set(row: number, value: bigint | null): void {
    this.values[row] = value ?? 0n;
    this.isNull[row] = value === null ? 1 : 0;
  }

  /** A safe integer that is not negative. */
  setNumber(row: number, value: number): void {
    const high = value < 2 ** 31 ? 0 : Math.floor(value / 2 ** 32);
    this.setHalves(row, value - high * 2 ** 32, high);
  }

  /** The low and the high 32 bits, neither of them negative. */
  setHalves(row: number, low: number, high: number): void {
    this.halves[2 * row] = low;
    this.halves[2 * row + 1] = high;
    this.isNull[row] = 0;
  }

  /** The value as a number, NULL or not: exact when it is a safe integer. */
  number(row: number): number {
    const high = this.halves[2 * row + 1]! | 0; // with its sign
    return high * 2 ** 32 + this.halves[2 * row]!;
  }

  value(row: number): bigint | null {
    return this.isNull[row] === 1 ? null : this.values[row] ?? 0n;
  }

  /** Makes rows NULL. */
  clear(start: number, count: number): void {
    this.isNull.fill(1, start, start + count);
  }

  move(from: number, to: number): void {
    this.values[to] = this.values[from] ?? 0n;
    this.isNull[to] = this.isNull[from] ?? 1;
  }

  /** Takes rows of a column of whole numbers. */
  copy(from: TypedColumn, { start, count }: RowRange, to: number): void {
    if (from instanceof IntegerColumn) {
      for (let i = 0; i < count; i++) this.values[to + i] = BigInt(from.values[start + i]!);
    } else {
      if (!(from instanceof WideColumn)) throw new TypeError("Columns of two kinds");
      this.values.set(from.values.subarray(start, start + count), to);
    }
    this.isNull.set(from.isNull.subarray(start, start + count), to);
  }
}

/** Numbers. */
export class DoubleColumn {
  readonly values: Float64Array<ArrayBuffer>;
  /** 1 for NULL. */
  readonly isNull: Uint8Array;

  constructor(capacity: number) {
    this.values = new Float64Array(capacity);
    this.isNull = new Uint8Array(capacity).fill(1);
  }

  /** Null for NULL. */
  set(row: number, value: number | null): void {
    this.values[row] = value ?? 0;
    this.isNull[row] = value === null ? 1 : 0;
  }

  value(row: number): number | null {
    return this.isNull[row] === 1 ? null : this.values[row] ?? 0;
  }

  /** Makes rows NULL. */
  clear(start: number, count: number): void {
    this.isNull.fill(1, start, start + count);
  }

  move(from: number, to: number): void {
    this.values[to] = this.values[from] ?? 0;
    this.isNull[to] = this.isNull[from] ?? 1;
  }

  /** Takes rows of a column of numbers. */
  copy(from: TypedColumn, { start, count }: RowRange, to: number): void {
    if (from instanceof TextColumn) throw new TypeError("Columns of two kinds");
    for (let i = 0; i < count; i++) this.values[to + i] = Number(from.values[start + i]!);
    this.isNull.set(from.isNull.subarray(start, start + count), to);
  }
}

/** Values of one type; which, the column of the table says that they are for. */
export type TypedColumn =
  | TextColumn
  | DoubleColumn
  | IntegerColumn<Int8Array<ArrayBuffer>>
  | IntegerColumn<Int16Array<ArrayBuffer>>
  | IntegerColumn<Int32Array<ArrayBuffer>>
  | WideColumn;

/** An empty column of a DuckDB type. @throws for a type that no schema uses */
export function newColumn(type: string, heap: TextHeap, capacity: number): TypedColumn {
  switch (type) {
    case "VARCHAR":
    case "BLOB":
      return new TextColumn(heap, capacity);
    case "BIGINT":
    case "TIMESTAMP":
      return new WideColumn(capacity);
    case "DOUBLE":
      return new DoubleColumn(capacity);
    case "INTEGER":
      return new IntegerColumn(new Int32Array(capacity));
    case "SMALLINT":
      return new IntegerColumn(new Int16Array(capacity));
    case "BOOLEAN":
      return new IntegerColumn(new Int8Array(capacity));
    default:
      throw new Error(`No column of type ${type}`);
  }
}

/** A value as the client library takes it, for a column of the DuckDB type `type`. */
export function duckdbValue(column: TypedColumn, type: string, row: number): DuckDBValue {
  if (column instanceof TextColumn) {
    if (type !== "BLOB") return column.text(row);
    const bytes = column.bytes(row);
    return bytes === null ? null : blobValue(bytes.slice());
  }
  const value = column.value(row);
  if (type === "BOOLEAN") return value === null ? null : value === 1;
  return type === "TIMESTAMP" && typeof value === "bigint" ? timestampValue(value) : value;
}
