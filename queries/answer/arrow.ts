/** Writes a table as an Arrow IPC stream. Types that Arrow's JavaScript lacks travel as text. */
import * as arrow from "apache-arrow";
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import type { RawChunk, RawVector } from "../duckdb/raw_vector.ts";

/** How a column is read from DuckDB and laid out in Arrow. */
interface Encoding {
  type: arrow.DataType;
  sql: (column: string) => string;
  /** Of a value in DuckDB, in bytes; null: texts or blobs. */
  width: number | null;
  /** What Arrow has, of bytes that DuckDB has. */
  data: (bytes: Uint8Array<ArrayBuffer>) => ArrayBufferView;
}

/** What to select for Arrow. */
export function arrowList(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => encodingOf(type).sql(identifier(name))).join(", ");
}

/** The widths of what `arrowList` selects. */
export function arrowWidths(columns: readonly Column[]): (number | null)[] {
  return columns.map(({ type }) => encodingOf(type).width);
}

/** Batches of rows, one after another, after the schema. `chunks` are of `arrowList`. */
export async function* arrowStream(
  columns: readonly Column[],
  chunks: AsyncIterable<RawChunk>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encodings = columns.map(({ type }) => encodingOf(type));
  const fields = columns.map(({ name }, i) => new arrow.Field(name, typeAt(encodings, i), true));
  const schema = new arrow.Schema(fields);
  const type = new arrow.Struct(fields);
  const batchOf = ({ rows, columns: vectors }: RawChunk) => {
    const children = vectors.flatMap((vector, i) => {
      const encoding = encodings[i];
      return encoding === undefined ? [] : [laidOut(encoding, vector, rows)];
    });
    const data = arrow.makeData({ type, length: rows, nullCount: 0, children });
    return new arrow.RecordBatch(schema, data);
  };
  async function* batches() {
    let isEmpty = true;
    for await (const chunk of chunks) {
      isEmpty = false;
      yield batchOf(chunk);
    }
    if (isEmpty) yield batchOf({ rows: 0, columns: columns.map(() => NOTHING) });
  }
  for await (const bytes of await arrow.RecordBatchStreamWriter.writeAll(batches())) {
    yield new Uint8Array(bytes);
  }
}

/** No value of any width. */
const NOTHING: RawVector = {
  validity: null,
  nullCount: 0,
  bytes: new Uint8Array(),
  offsets: new Int32Array(1),
};

function laidOut({ type, width, data }: Encoding, vector: RawVector, rows: number): arrow.Data {
  const { validity, nullCount, bytes, offsets } = vector;
  const layout = {
    type,
    length: rows,
    nullCount,
    ...(validity === null ? {} : { nullBitmap: validity }),
    ...(width === null ? { valueOffsets: offsets } : {}),
    data: data(bytes),
  };
  return arrow.makeData(layout as Parameters<typeof arrow.makeData>[0]); // data fits its type
}

function typeAt(encodings: readonly Encoding[], i: number): arrow.DataType {
  return encodings[i]?.type ?? new arrow.Utf8();
}

function encodingOf(type: string): Encoding {
  const known = ENCODINGS[type];
  if (known !== undefined) return known;
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  return decimal === null ? TEXT : decimalOf(Number(decimal[1]), Number(decimal[2]));
}

const bare = (column: string) => column;

type Layout = new (buffer: ArrayBuffer) => ArrayBufferView;

/** Numbers that lie in DuckDB as in Arrow. */
function fixed(
  type: arrow.DataType,
  Values: Layout & { BYTES_PER_ELEMENT: number },
  sql = bare,
): Encoding {
  const data = ({ buffer }: Uint8Array<ArrayBuffer>) => new Values(buffer);
  return { type, sql, width: Values.BYTES_PER_ELEMENT, data };
}

/** Whole numbers of 128 bits, two's complement, low word first. */
function decimalEncoding(precision: number, scale: number, sql: Encoding["sql"]): Encoding {
  const data = ({ buffer }: Uint8Array<ArrayBuffer>) => new Uint32Array(buffer);
  return { type: new arrow.Decimal(scale, precision), sql, width: DECIMAL_BYTES, data };
}

const DECIMAL_BYTES = 16;

/** DuckDB has those of fewer digits in fewer bytes. */
function decimalOf(precision: number, scale: number): Encoding {
  return decimalEncoding(precision, scale, (column) => `${column}::DECIMAL(38, ${scale})`);
}

const TEXT: Encoding = {
  type: new arrow.Utf8(),
  sql: (column) => `${column}::VARCHAR`,
  width: null,
  data: (bytes) => bytes,
};

const BYTES: Encoding = { ...TEXT, type: new arrow.Binary(), sql: bare };

const FLAG: Encoding = {
  type: new arrow.Bool(),
  sql: bare,
  width: 1,
  data: (bytes) => {
    const bits = new Uint8Array(Math.ceil(bytes.length / 8));
    for (const [i, byte] of bytes.entries()) {
      if (byte !== 0) bits[i >> 3]! |= 1 << (i & 7);
    }
    return bits;
  },
};

/** Microseconds since 1970; Arrow has no infinity. */
const micros = (column: string) => `if(isfinite(${column}), epoch_us(${column}), NULL)`;

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  BOOLEAN: FLAG,
  TINYINT: fixed(new arrow.Int8(), Int8Array),
  SMALLINT: fixed(new arrow.Int16(), Int16Array),
  INTEGER: fixed(new arrow.Int32(), Int32Array),
  BIGINT: fixed(new arrow.Int64(), BigInt64Array),
  UTINYINT: fixed(new arrow.Uint8(), Uint8Array),
  USMALLINT: fixed(new arrow.Uint16(), Uint16Array),
  UINTEGER: fixed(new arrow.Uint32(), Uint32Array),
  UBIGINT: fixed(new arrow.Uint64(), BigUint64Array),
  HUGEINT: decimalEncoding(38, 0, bare),
  FLOAT: fixed(new arrow.Float32(), Float32Array),
  DOUBLE: fixed(new arrow.Float64(), Float64Array),
  BLOB: BYTES,
  DATE: fixed(
    new arrow.DateDay(),
    Int32Array,
    (column) => `if(isfinite(${column}), ${column} - DATE '1970-01-01', NULL)::INTEGER`,
  ),
  TIME: fixed(new arrow.TimeMicrosecond(), BigInt64Array, (column) => `epoch_us(${column})`),
  TIMESTAMP: fixed(new arrow.TimestampMicrosecond(), BigInt64Array, micros),
  "TIMESTAMP WITH TIME ZONE": fixed(new arrow.TimestampMicrosecond("UTC"), BigInt64Array, micros),
};
