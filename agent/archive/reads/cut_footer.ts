/** A Parquet footer for a file that has only some row groups of the original, at the same offsets. */
import { numberIn, readThrift, structsIn, writeThrift } from "./thrift.ts";
import type { ThriftStruct } from "./thrift.ts";

/** Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData (parquet.thrift). */
const FILE = { rowCount: 3, rowGroups: 4 };
const ROW_GROUP = { columns: 1, rowCount: 3 };
const COLUMN_CHUNK = { metadata: 3, indexes: [4, 5, 6, 7] };
const COLUMN = { bloomFilter: [14, 15] };

const MAGIC = new TextEncoder().encode("PAR1");

/**
 * The end of the file: metadata, its length, magic. Other row groups are not in it, nor are bloom
 * filters and page indexes, which DuckDB would look for in places that were not fetched.
 * @param metadata of the original, without length and magic
 * @param kept numbers of row groups, from 0
 */
export function cutFooter(
  metadata: Uint8Array,
  kept: ReadonlySet<number>,
): Uint8Array<ArrayBuffer> {
  const file = readThrift(metadata);
  const groups = structsIn(file, FILE.rowGroups).filter((_, i) => kept.has(i));
  for (const group of groups) structsIn(group, ROW_GROUP.columns).forEach(dropIndexes);
  const list = file.fields.get(FILE.rowGroups);
  if (list?.type === 9) list.items = groups;
  const rowCount = groups.reduce((sum, group) => sum + numberIn(group, ROW_GROUP.rowCount), 0n);
  file.fields.set(FILE.rowCount, { type: 6, value: rowCount });
  const bytes = writeThrift(file);
  const end = new Uint8Array(bytes.length + 8);
  end.set(bytes);
  new DataView(end.buffer).setUint32(bytes.length, bytes.length, true);
  end.set(MAGIC, bytes.length + 4);
  return end;
}

function dropIndexes(column: ThriftStruct) {
  for (const field of COLUMN_CHUNK.indexes) column.fields.delete(field);
  const metadata = column.fields.get(COLUMN_CHUNK.metadata);
  if (metadata?.type !== 12) return;
  for (const field of COLUMN.bloomFilter) metadata.fields.delete(field);
}
