/** Reads the rows of a manifest column by column: of many rows few may be wanted, and no others are made. */
import { setImmediate as turn } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetRead } from "hyparquet";
import type { ColumnData, FileMetaData, ParquetParsers } from "hyparquet";

/** A row that is wanted, and what is known of it by now, by column. */
export interface FileRow {
  row: number;
  all: Record<string, unknown>;
}

/** Dates have milliseconds only. */
const PARSERS: Partial<ParquetParsers> = {
  timestampFromMicroseconds: (us: bigint) => us as unknown as Date,
};

/** Of most rows they are not wanted. */
const TEXTS_AS_BYTES: Partial<ParquetParsers> = {
  ...PARSERS,
  stringFromBytes: (bytes: Uint8Array) => bytes,
};
const TEXT = new TextDecoder();

/** What the footer of a manifest says, as Parquet has it. */
export function metadataOf(footer: Uint8Array): FileMetaData {
  return parquetMetadata(footer.slice().buffer, { geoparquet: false, parsers: PARSERS });
}

/** Takes the value of one row. */
type TakeValue = (value: unknown, row: number) => void;

/** The file, without what lies between its rows and its footer. */
export class RowFile {
  private readonly buffer: ArrayBuffer;
  private readonly metadata: FileMetaData;
  private readonly byteLength: number;

  constructor(bytes: Uint8Array, footer: Uint8Array) {
    this.buffer = bytes.slice().buffer;
    this.metadata = metadataOf(footer);
    this.byteLength = bytes.length + footer.length;
  }

  /** Shows each value of a column, and returns how many there were. */
  async each(column: string, take: TakeValue, parsers = PARSERS): Promise<number> {
    const chunks: ColumnData[] = [];
    await parquetRead({
      file: { byteLength: this.byteLength, slice: (from, to) => this.buffer.slice(from, to) },
      metadata: this.metadata,
      compressors: { ZSTD: (packed) => new Uint8Array(zstdDecompressSync(packed)) },
      columns: [column],
      parsers,
      onChunk: (chunk) => chunks.push(chunk),
    });
    let count = 0;
    for (const { columnData, rowStart } of chunks) {
      for (let i = 0; i < columnData.length; i++) take(columnData[i], rowStart + i);
      count += columnData.length;
    }
    return count;
  }

  /** Gives rows, which are in order, their values. Others have their turn between columns. */
  async fill(
    rows: readonly FileRow[],
    without: readonly string[],
  ): Promise<void> {
    const names = this.metadata.schema.slice(1).map(({ name }) => name)
      .filter((name) => !without.includes(name));
    for (const name of names) {
      await turn();
      let next = 0;
      await this.each(name, (value, row) => {
        const one = rows[next];
        if (one?.row !== row) return;
        one.all[name] = value instanceof Uint8Array ? TEXT.decode(value) : value;
        next++;
      }, TEXTS_AS_BYTES);
    }
  }
}
