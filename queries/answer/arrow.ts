/** Writes a table as an Arrow IPC stream. Types that Arrow's JavaScript lacks travel as text. */
import * as arrow from "apache-arrow";
import type { Column } from "../../protocol/messages.ts";
import { identifier } from "../../protocol/table_sql.ts";
import type { Page } from "./json_rows.ts";

type Values = readonly unknown[];

/** How a column is read from DuckDB and laid out in Arrow. */
interface Encoding {
  type: arrow.DataType;
  sql: (column: string) => string;
  data: (values: Values) => arrow.Data;
}

/** What to select for Arrow. */
export function arrowList(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => encodingOf(type).sql(identifier(name))).join(", ");
}

/** Batches of rows, one after another, after the schema. `pages` are of `arrowList`. */
export async function* arrowStream(
  columns: readonly Column[],
  pages: AsyncIterable<Page>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encodings = columns.map(({ type }) => encodingOf(type));
  const fields = columns.map(({ name }, i) => new arrow.Field(name, typeAt(encodings, i), true));
  const schema = new arrow.Schema(fields);
  async function* batches() {
    for await (const rows of pages) {
      const children = encodings.map(({ data }, i) => data(rows.map((row) => row[i])));
      const type = new arrow.Struct(fields);
      const data = arrow.makeData({ type, length: rows.length, nullCount: 0, children });
      yield new arrow.RecordBatch(schema, data);
    }
  }
  for await (const bytes of await arrow.RecordBatchStreamWriter.writeAll(batches())) {
    yield new Uint8Array(bytes);
  }
}

function typeAt(encodings: readonly Encoding[], i: number): arrow.DataType {
  return encodings[i]?.type ?? new arrow.Utf8();
}

function encodingOf(type: string): Encoding {
  const known = ENCODINGS[type];
  if (known !== undefined) return known;
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  return decimal === null ? TEXT : decimalEncoding(Number(decimal[1]), Number(decimal[2]));
}

type Fixed =
  | Int8ArrayConstructor
  | Int16ArrayConstructor
  | Int32ArrayConstructor
  | Uint8ArrayConstructor
  | Uint16ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor;

const bare = (column: string) => column;

/** Values that are numbers of fixed width. */
function fixed(type: arrow.DataType, Layout: Fixed, sql = bare): Encoding {
  const data = (values: Values) =>
    laidOut(type, values, Layout.from(values.map((value) => Number(value ?? 0))));
  return { type, sql, data };
}

/** Values that are 64-bit integers. */
function wide(
  type: arrow.DataType,
  Layout: BigInt64ArrayConstructor | BigUint64ArrayConstructor,
  sql = bare,
): Encoding {
  const data = (values: Values) =>
    laidOut(type, values, Layout.from(values.map((value) => BigInt(value as bigint ?? 0))));
  return { type, sql, data };
}

/** Decimals are whole numbers of 128 bits, two's complement, low word first. */
function decimalEncoding(precision: number, scale: number): Encoding {
  const type = new arrow.Decimal(scale, precision);
  const data = (values: Values) => {
    const words = new BigUint64Array(values.length * 2);
    for (const [i, value] of values.entries()) {
      const whole = BigInt(String(value ?? 0).replace(".", ""));
      words[2 * i] = BigInt.asUintN(64, whole);
      words[2 * i + 1] = BigInt.asUintN(64, whole >> 64n);
    }
    return laidOut(type, values, new Uint32Array(words.buffer));
  };
  return { type, sql: (column) => `${column}::VARCHAR`, data };
}

function laidOut(type: arrow.DataType, values: Values, data: ArrayBufferView): arrow.Data {
  const layout = { type, length: values.length, ...validityOf(values), data };
  return arrow.makeData(layout as Parameters<typeof arrow.makeData>[0]); // data fits its type
}

/** A bit for every value that is there. */
function validityOf(values: Values) {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  for (const [i, value] of values.entries()) {
    if (value === null) nullCount++;
    else nullBitmap[i >> 3] = (nullBitmap[i >> 3] ?? 0) | (1 << (i & 7));
  }
  return { nullCount, nullBitmap };
}

const TEXT: Encoding = {
  type: new arrow.Utf8(),
  sql: (column) => `${column}::VARCHAR`,
  data: (values) => textData(values as readonly (string | null)[]), // VARCHAR gives nothing else
};

/** In one piece, when it can be: an encoder's call for each value takes three times as long. */
function textData(values: readonly (string | null)[]): arrow.Data {
  const encoder = new TextEncoder();
  const whole = values.join(""); // null gives nothing
  const data = encoder.encode(whole);
  const valueOffsets = new Int32Array(values.length + 1);
  const isAscii = data.length === whole.length;
  let end = 0;
  for (const [i, value] of values.entries()) {
    if (value !== null) end += isAscii ? value.length : encoder.encode(value).length;
    valueOffsets[i + 1] = end;
  }
  const validity = validityOf(values);
  return arrow.makeData({
    type: new arrow.Utf8(),
    length: values.length,
    ...validity,
    valueOffsets,
    data,
  });
}

const BYTES: Encoding = {
  type: new arrow.Binary(),
  sql: (column) => `hex(${column})`,
  data: (values) =>
    onlyChunk(arrow.vectorFromArray(
      values.map((value) => value === null ? null : Uint8Array.fromHex(String(value))),
      new arrow.Binary(),
    )),
};

const FLAG: Encoding = {
  type: new arrow.Bool(),
  sql: bare,
  data: (values) => onlyChunk(arrow.vectorFromArray(values, new arrow.Bool())),
};

function onlyChunk(vector: arrow.Vector): arrow.Data {
  return vector.data[0] ?? arrow.makeData({ type: vector.type });
}

/** Microseconds since 1970; Arrow has no infinity. */
const micros = (column: string) => `if(isfinite(${column}), epoch_us(${column}), NULL)`;

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  BOOLEAN: FLAG,
  TINYINT: fixed(new arrow.Int8(), Int8Array),
  SMALLINT: fixed(new arrow.Int16(), Int16Array),
  INTEGER: fixed(new arrow.Int32(), Int32Array),
  BIGINT: wide(new arrow.Int64(), BigInt64Array),
  UTINYINT: fixed(new arrow.Uint8(), Uint8Array),
  USMALLINT: fixed(new arrow.Uint16(), Uint16Array),
  UINTEGER: fixed(new arrow.Uint32(), Uint32Array),
  UBIGINT: wide(new arrow.Uint64(), BigUint64Array),
  HUGEINT: decimalEncoding(38, 0),
  FLOAT: fixed(new arrow.Float32(), Float32Array),
  DOUBLE: fixed(new arrow.Float64(), Float64Array),
  BLOB: BYTES,
  DATE: fixed(
    new arrow.DateDay(),
    Int32Array,
    (column) => `if(isfinite(${column}), ${column} - DATE '1970-01-01', NULL)`,
  ),
  TIME: wide(new arrow.TimeMicrosecond(), BigInt64Array, (column) => `epoch_us(${column})`),
  TIMESTAMP: wide(new arrow.TimestampMicrosecond(), BigInt64Array, micros),
  "TIMESTAMP WITH TIME ZONE": wide(new arrow.TimestampMicrosecond("UTC"), BigInt64Array, micros),
};
