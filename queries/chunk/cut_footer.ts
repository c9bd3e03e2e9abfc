/** A Parquet footer for a file that has only some row groups of the original, at the same offsets. */
import { FILE, footerBytes } from "../parquet/footer.ts";
import { i64, numberIn, readStruct, structIn, structs, structsIn } from "../parquet/thrift.ts";
import type { ThriftStruct } from "../parquet/thrift.ts";
import { ChunkError } from "./chunk_error.ts";

/** Fields of RowGroup, ColumnChunk and ColumnMetaData (parquet.thrift). */
const ROW_GROUP = { columns: 1, rowCount: 3 };
const COLUMN_CHUNK = { metadata: 3, indexes: [4, 5, 6, 7] };
const COLUMN = { bloomFilter: [14, 15] };

/**
 * The end of the file: metadata, its length, magic. Other row groups are not in it, nor are bloom
 * filters and page indexes, which DuckDB would look for in places that were not fetched.
 * @param metadata of the original, without length and magic
 * @param kept numbers of row groups, from 0
 * @throws {ChunkError} of one that nobody of ours wrote
 */
export function cutFooter(
  metadata: Uint8Array,
  kept: ReadonlySet<number>,
): Uint8Array<ArrayBuffer> {
  try {
    return cut(metadata, kept);
  } catch (cause) {
    throw new ChunkError("its footer cannot be cut", cause);
  }
}

function cut(metadata: Uint8Array, kept: ReadonlySet<number>): Uint8Array<ArrayBuffer> {
  const file = readStruct(metadata);
  const groups = structsIn(file, FILE.rowGroups).filter((_, i) => kept.has(i));
  for (const group of groups) structsIn(group, ROW_GROUP.columns).forEach(dropIndexes);
  const rowsIn = (group: ThriftStruct) => numberIn(group, ROW_GROUP.rowCount) ?? 0n;
  file.set(FILE.rowGroups, structs(groups));
  file.set(FILE.rows, i64(groups.reduce((sum, group) => sum + rowsIn(group), 0n)));
  return footerBytes(file);
}

function dropIndexes(column: ThriftStruct) {
  for (const field of COLUMN_CHUNK.indexes) column.delete(field);
  const metadata = structIn(column, COLUMN_CHUNK.metadata);
  for (const field of COLUMN.bloomFilter) metadata.delete(field);
}
