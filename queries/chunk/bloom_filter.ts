/** Rules out row groups by the bloom filters that the file itself has. */
import type { SchemaElement } from "hyparquet";
import { hashParquetValue, readBloomFilter, sbbfContains } from "hyparquet/src/bloom.js";
import type { RangeReader, RowGroup } from "./footer.ts";

/** More texts than this are seldom ruled out all together. */
const VALUES_MAX = 20;

const TEXT: SchemaElement = { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8" };

/** Of some row groups those that may hold the texts; filters are read only where they are smaller. */
export async function withoutRefused(
  read: RangeReader,
  groups: readonly RowGroup[],
  values: Readonly<Record<string, readonly string[]>>,
): Promise<RowGroup[]> {
  const kept: RowGroup[] = [];
  for (const group of groups) if (await mayHold(read, group, values)) kept.push(group);
  return kept;
}

async function mayHold(
  read: RangeReader,
  { columns }: RowGroup,
  values: Readonly<Record<string, readonly string[]>>,
): Promise<boolean> {
  for (const [column, texts] of Object.entries(values)) {
    const chunk = columns.get(column);
    const filter = chunk?.bloomFilter ?? null;
    if (chunk === undefined || filter === null || texts.length > VALUES_MAX) continue;
    if (filter.end - filter.start >= chunk.end - chunk.start) continue;
    if (!contains(await read(filter), texts)) return false;
  }
  return true;
}

/** When in doubt, it does. */
function contains(bytes: Uint8Array, texts: readonly string[]): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const filter = readFilter(view);
  if (filter === undefined) return true;
  return texts.some((text) => {
    const hash = hashParquetValue(text, TEXT);
    return hash === undefined || sbbfContains(filter.blocks, hash);
  });
}

/** Undefined: it is of a kind that nobody knows, or none at all. */
function readFilter(view: DataView) {
  try {
    return readBloomFilter({ view, offset: 0 });
  } catch {
    return undefined; // without it the rows are looked at
  }
}
