/**
 * The end of a Parquet file, which says what its row groups are and where they lie.
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
import { numberIn, readStruct, structIn, structsIn, writeStruct } from "./thrift.ts";
import type { ThriftStruct } from "./thrift.ts";

export const MAGIC = new TextEncoder().encode("PAR1");

/** The footer's length and the magic number. */
const TRAILER_BYTES = 8;

/** Fields of its structs, by name. */
export const FILE = { schema: 2, rows: 3, rowGroups: 4, metadata: 5 };
const ROW_GROUP = { columns: 1, bytes: 2, offset: 5, ordinal: 7 };
const COLUMN = { offset: 2, facts: 3, offsetIndex: 4, columnIndex: 6 };
const FACTS = { codec: 4, dataPage: 9, indexPage: 10, dictionaryPage: 11, bloomFilter: 14 };

const ZSTD = 6n;

/** What a file says of itself. */
export interface Footer {
  fields: ThriftStruct;
  /** Row groups lie between the magic number and here. */
  bodyEnd: number;
}

/** @throws {RangeError} when the file is no Parquet */
export async function readFooter(file: Deno.FsFile): Promise<Footer> {
  const { size } = await file.stat();
  const trailer = await bytesAt(file, size - TRAILER_BYTES, TRAILER_BYTES);
  const length = new DataView(trailer.buffer).getUint32(0, true);
  const bodyEnd = size - TRAILER_BYTES - length;
  const isParquet = MAGIC.every((byte, i) => trailer[4 + i] === byte);
  if (!isParquet || bodyEnd < MAGIC.length) throw new RangeError("It is no Parquet file");
  return { fields: readStruct(await bytesAt(file, bodyEnd, length)), bodyEnd };
}

/** The bytes behind the body of a file. */
export function footerBytes(fields: ThriftStruct): Uint8Array<ArrayBuffer> {
  const struct = writeStruct(fields);
  const bytes = new Uint8Array(struct.length + TRAILER_BYTES);
  bytes.set(struct);
  new DataView(bytes.buffer).setUint32(struct.length, struct.length, true);
  bytes.set(MAGIC, struct.length + 4);
  return bytes;
}

/** What tells whether row groups are worth keeping as they are. */
export interface RowGroupsFacts {
  count: number;
  rows: number;
  /** Before compression. */
  bytes: number;
  /** All of it is compressed with zstd. */
  isZstd: boolean;
}

/** Looks at the row groups of a file. */
export function rowGroupsFacts({ fields }: Footer): RowGroupsFacts {
  const groups = structsIn(fields, FILE.rowGroups);
  const columns = groups.flatMap((group) => structsIn(group, ROW_GROUP.columns));
  return {
    count: groups.length,
    rows: Number(numberIn(fields, FILE.rows) ?? 0n),
    bytes: groups.reduce((sum, group) => sum + Number(numberIn(group, ROW_GROUP.bytes) ?? 0n), 0),
    isZstd: columns.every((one) => numberIn(structIn(one, COLUMN.facts), FACTS.codec) === ZSTD),
  };
}

/** The row groups of a file whose body has been moved by `bytes`; the first is the `ordinal`-th. */
export function movedRowGroups({ fields }: Footer, bytes: number, ordinal: number): ThriftStruct[] {
  return structsIn(fields, FILE.rowGroups).map((group, i) => {
    move(group, [ROW_GROUP.offset], bytes);
    setNumber(group, ROW_GROUP.ordinal, BigInt(ordinal + i));
    for (const column of structsIn(group, ROW_GROUP.columns)) {
      move(column, [COLUMN.offset, COLUMN.offsetIndex, COLUMN.columnIndex], bytes);
      const { dataPage, indexPage, dictionaryPage, bloomFilter } = FACTS;
      move(
        structIn(column, COLUMN.facts),
        [dataPage, indexPage, dictionaryPage, bloomFilter],
        bytes,
      );
    }
    return group;
  });
}

/** Moves positions; 0 stands for none. */
function move(struct: ThriftStruct, ids: readonly number[], bytes: number) {
  for (const id of ids) {
    const at = numberIn(struct, id) ?? 0n;
    if (at > 0n) setNumber(struct, id, at + BigInt(bytes));
  }
}

/** Of a field that is there. */
function setNumber(struct: ThriftStruct, id: number, number: bigint) {
  const value = struct.get(id);
  if (value !== undefined && "number" in value) struct.set(id, { ...value, number });
}

async function bytesAt(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.seek(Math.max(0, offset), Deno.SeekMode.Start);
  for (let filled = 0; filled < length;) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw new RangeError("It ends too soon");
    filled += count;
  }
  return bytes;
}
