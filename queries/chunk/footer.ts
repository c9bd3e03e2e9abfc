/** The footer of an archived chunk, read by range: where its row groups and columns lie. */
import { parquetMetadata } from "hyparquet";
import type { ColumnMetaData, FileMetaData, SchemaElement } from "hyparquet";
import type { Column } from "../../protocol/wire/messages.ts";
import { checkFooter } from "./check_footer.ts";
import type { FooterFacts } from "./check_footer.ts";
import { ChunkError } from "./chunk_error.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";

/** Reads a range of one version of one object, and not a byte of another. */
export type RangeReader = (range: ByteRange) => Promise<Uint8Array>;

/** Where one column of one row group lies. */
export interface ColumnChunk extends ByteRange {
  bloomFilter: ByteRange | null;
  /** Of texts, where the file has them whole. */
  min: string | null;
  max: string | null;
}

export interface RowGroup {
  /** From 0. */
  index: number;
  rows: number;
  /** Of `ts`, in microseconds; infinite where the file does not say. */
  firstUs: number;
  lastUs: number;
  /** By the column's name. */
  columns: ReadonlyMap<string, ColumnChunk>;
}

export interface Footer {
  /** The metadata as it stands in the file. */
  bytes: Uint8Array;
  /** Where it begins. */
  offset: number;
  /** What the file says of itself. */
  facts: FooterFacts;
  columns: Column[];
  rowGroups: RowGroup[];
}

/** What the end of a file is guessed to have: most footers fit. */
const GUESSED_BYTES = 16 * 1024;
/** Footers are held in memory. */
const FOOTER_BYTES_MAX = 32 * 2 ** 20;
/** Length of the metadata and magic. */
const END_BYTES = 8;

/**
 * Reads a footer with one request where its size is known or guessed well, else with two.
 * @param size of the object
 * @param footerBytes length and magic included
 * @throws {ChunkError} of an object that is no chunk of ours
 */
export async function readFooter(
  read: RangeReader,
  size: number,
  footerBytes = GUESSED_BYTES,
): Promise<Footer> {
  if (size < END_BYTES) throw notParquet("it is too short");
  let end = await read({ start: Math.max(0, size - footerBytes), end: size });
  const wanted = endLength(end);
  if (wanted > Math.min(size, FOOTER_BYTES_MAX)) throw notParquet("its footer has no good length");
  if (wanted > end.length) {
    const first = await read({ start: size - wanted, end: size - end.length });
    const whole = new Uint8Array(wanted);
    whole.set(first);
    whole.set(end, first.length);
    end = whole;
  }
  const metadata = end.slice(end.length - wanted);
  try {
    return footerOf(metadata, size - wanted);
  } catch (cause) {
    if (cause instanceof ChunkError) throw cause;
    throw notParquet("its footer cannot be read", cause);
  }
}

/** The same of metadata that was read before, and where it begins. @throws {ChunkError} */
export function footerFrom(metadata: Uint8Array, offset: number): Footer {
  const end = new Uint8Array(metadata.length + END_BYTES);
  end.set(metadata);
  new DataView(end.buffer).setUint32(metadata.length, metadata.length, true);
  end.set(new TextEncoder().encode("PAR1"), metadata.length + 4);
  return footerOf(end, offset);
}

function endLength(end: Uint8Array): number {
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const magic = String.fromCharCode(...end.subarray(-4));
  if (magic !== "PAR1") throw notParquet(`it ends with other bytes than "PAR1"`);
  return view.getUint32(end.length - END_BYTES, true) + END_BYTES;
}

function footerOf(end: Uint8Array, offset: number): Footer {
  const metadata = parquetMetadata(end, {
    geoparquet: false,
    // Dates have milliseconds only.
    parsers: { timestampFromMicroseconds: (us: bigint) => us as unknown as Date },
  });
  const elements = metadata.schema.filter(({ type }) => type !== undefined);
  const columns = elements.map((element) => ({ name: element.name, type: typeOf(element) }));
  const bytes = end.subarray(0, end.length - END_BYTES);
  const facts = checkFooter(metadata, offset);
  return { bytes, offset, facts, columns, rowGroups: rowGroupsOf(metadata) };
}

function rowGroupsOf({ row_groups: groups }: FileMetaData): RowGroup[] {
  return groups.map(({ columns, num_rows: rows }, index) => {
    const known = new Map<string, ColumnChunk>();
    let [firstUs, lastUs] = [-Infinity, Infinity];
    for (const { meta_data: metadata } of columns) {
      const name = metadata?.path_in_schema[0];
      if (metadata === undefined || name === undefined) continue;
      known.set(name, columnChunk(metadata));
      if (name !== "ts") continue;
      const { min_value: min, max_value: max } = metadata.statistics ?? {};
      if (typeof min === "bigint") firstUs = Number(min);
      if (typeof max === "bigint") lastUs = Number(max);
    }
    return { index, rows: Number(rows), firstUs, lastUs, columns: known };
  });
}

function columnChunk(metadata: ColumnMetaData): ColumnChunk {
  const { statistics: known, bloom_filter_offset: at, bloom_filter_length: length } = metadata;
  const start = Math.min(
    Number(metadata.data_page_offset),
    Number(metadata.dictionary_page_offset || Infinity),
    Number(metadata.index_page_offset || Infinity),
  );
  const bloomFilter = at === undefined || length === undefined
    ? null
    : { start: Number(at), end: Number(at) + length };
  return {
    start,
    end: start + Number(metadata.total_compressed_size),
    bloomFilter,
    min: known?.is_min_value_exact === false ? null : textOf(known?.min_value),
    max: known?.is_max_value_exact === false ? null : textOf(known?.max_value),
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** As DuckDB names it; those that our chunks have. */
function typeOf({ type, converted_type: converted, logical_type: logical }: SchemaElement): string {
  if (logical?.type === "TIMESTAMP" || converted?.startsWith("TIMESTAMP")) return "TIMESTAMP";
  switch (type) {
    case "BOOLEAN":
    case "DOUBLE":
      return type;
    case "INT32":
      return converted === "INT_16" ? "SMALLINT" : "INTEGER";
    case "INT64":
      return "BIGINT";
    default:
      return converted === "UTF8" || logical?.type === "STRING" ? "VARCHAR" : "BLOB";
  }
}

function notParquet(why: string, cause?: unknown): ChunkError {
  return new ChunkError(`it is no Parquet file: ${why}`, cause);
}
