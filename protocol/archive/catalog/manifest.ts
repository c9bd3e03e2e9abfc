/**
 * A manifest of the catalog, read: a Parquet file with a row for each chunk of a day. Fingerprints of
 * indexed columns lie behind the rows, where Parquet has indexes of its own too; the file's metadata
 * says where. A reader takes the end of the file, then one slice for each text that is looked for.
 */
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { chunksOf, hashOf, sliceOf, unpackSlice } from "./fingerprints.ts";
import type { Pairs } from "./fingerprints.ts";
import type { ByteRange } from "../ranges.ts";
import { metadataOf, RowFile } from "./row_file.ts";
import type { FileRow } from "./row_file.ts";

/** The key of its own metadata. */
export const CATALOG_KEY = "logvend_catalog";

/** Raised when older programs would take it for something else. */
export const CATALOG_VERSION = 1;

/** Most ends fit: the footer, and where slices lie. */
const TAIL_BYTES = 32 * 1024;
/** Held in memory. */
const TAIL_BYTES_MAX = 64 * 2 ** 20;

const Section = z.object({ start: z.number(), end: z.number(), crc: z.number() });

const Fingerprints = z.object({
  column: z.string(),
  /** First bits of a hash that say its slice. */
  bits: z.number().int().min(0).max(32),
  pairs: z.number(),
  /** Where each slice begins, and the last ends; then the chunks that any text may be in. */
  table: Section,
});

/** What it says of itself, and where its parts lie. */
export const ManifestFacts = z.object({
  version: z.literal(CATALOG_VERSION),
  stream: z.string(),
  region: z.string(),
  date: z.string(),
  /** When the day's chunks were listed that it has all of; null: it has not all. */
  listed_ms: z.number().nullable(),
  chunks: z.number(),
  /** Columns that its chunks were looked at for. */
  indexed: z.array(z.string()),
  /** By writer: the last of its changes to the day that was seen before the list. */
  changes: z.record(z.string(), z.string()),
  /** By host: how many chunks it has of each hour (archived_hours.ts). */
  hosts: z.record(z.string(), z.string().length(24)),
  entries: Section,
  fingerprints: z.array(Fingerprints),
});
export type ManifestFacts = z.infer<typeof ManifestFacts>;

/** One chunk. */
export interface CatalogEntry {
  /** Of the day, 0 to 23. */
  hour: number;
  host: string;
  chunk: string;
  bytes: number;
  /** As it was listed. */
  etag: string;
  /** Null: it is no file that could be read. */
  rows: number | null;
  /** Of `ts`, in microseconds; null: not known. */
  firstUs: number | null;
  lastUs: number | null;
  /** As the store keeps it; folders keep none. */
  sha256: string | null;
  /** Smallest and largest text by column, where they are short. */
  texts: Readonly<Record<string, TextRange | null>>;
}

/** What questions need of it. */
export type FoundEntry = Omit<CatalogEntry, "sha256">;

/** Smallest and largest text of a column. */
export interface TextRange {
  min: string;
  max: string;
}

/** Reads a range of one version of the file. */
export type ManifestReader = (range: ByteRange) => Promise<Uint8Array>;

/** Where the slices of one column lie. */
export interface SliceTable {
  bits: number;
  pairs: number;
  /** Where each slice begins, and where the last ends. */
  offsets: Uint32Array;
  /** Chunks of which no fingerprints were taken. */
  open: Uint32Array;
}

/** One that is open: its end is in memory. */
export class Manifest {
  private constructor(
    readonly facts: ManifestFacts,
    /** By column. */
    readonly tables: ReadonlyMap<string, SliceTable>,
    private readonly footer: Uint8Array,
  ) {}

  /** What it takes of memory, about. */
  get weight(): number {
    const tables = [...this.tables.values()];
    return tables.reduce(
      (sum, { offsets, open }) => sum + offsets.byteLength + open.byteLength,
      0,
    ) +
      this.footer.length + 4_000;
  }

  /** @throws {RangeError} for what is no manifest, or damaged */
  static async open(size: number, read: ManifestReader): Promise<Manifest> {
    if (size < 12) throw new RangeError("it is too short");
    let start = Math.max(0, size - TAIL_BYTES);
    let end = await read({ start, end: size });
    const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
    const wanted = view.getUint32(end.length - 8, true) + 8;
    if (wanted > Math.min(size, TAIL_BYTES_MAX)) throw new RangeError("its footer has no length");
    if (wanted > end.length) {
      start = size - wanted;
      end = await read({ start, end: size });
    }
    const footer = end.slice(end.length - wanted);
    const facts = factsOf(footer);
    const tables = new Map<string, SliceTable>();
    for (const { column, bits, pairs, table } of facts.fingerprints) {
      const isHere = table.start >= start;
      const bytes = isHere ? end.slice(table.start - start, table.end - start) : await read(table);
      if (crc32(bytes) !== table.crc) throw new RangeError("a damaged table");
      const numbers = new Uint32Array(bytes.slice().buffer);
      const count = 2 ** bits + 1;
      tables.set(column, {
        ...{ bits, pairs },
        offsets: numbers.subarray(0, count),
        open: numbers.subarray(count),
      });
    }
    return new Manifest(facts, tables, footer);
  }

  /**
   * The rows of chunks that may hold one of these texts; null: of this column nothing is known.
   * @throws {RangeError} for a damaged slice
   */
  async chunksWith(
    column: string,
    texts: readonly string[],
    read: ManifestReader,
  ): Promise<Set<number> | null> {
    const table = this.tables.get(column);
    if (table === undefined) return null;
    const found = new Set<number>(table.open);
    for (const text of texts) {
      const hash = hashOf(text);
      const pairs = await readSlice(table, sliceOf(hash, table.bits), read);
      for (const chunk of chunksOf(pairs, hash)) found.add(chunk);
    }
    return found;
  }

  /** All chunks, in the order of hours, hosts and ids. @throws {RangeError} for damaged rows */
  async entries(read: ManifestReader): Promise<CatalogEntry[]> {
    const rows = await this.rows(read, () => true, []);
    return rows.map(({ all }) => ({
      ...entryOf(Row.parse(all), all, this.facts.indexed),
      sha256: Sha256.parse(all.sha256) ?? null,
    }));
  }

  /** Those that are wanted, with their rows. @throws {RangeError} for damaged rows */
  async someEntries(
    read: ManifestReader,
    isWanted: (host: string, row: number) => boolean,
  ): Promise<{ row: number; entry: FoundEntry }[]> {
    const rows = await this.rows(read, isWanted, ["sha256"]); // the longest of them
    return rows.map(({ row, all }) => {
      return { row, entry: entryOf(Row.parse(all), all, this.facts.indexed) };
    });
  }

  private async rows(
    read: ManifestReader,
    isWanted: (host: string, row: number) => boolean,
    without: readonly string[],
  ): Promise<FileRow[]> {
    const { entries: { start, end, crc }, chunks } = this.facts;
    const bytes = await read({ start, end });
    if (crc32(bytes) !== crc) throw new RangeError("damaged rows");
    const file = new RowFile(bytes, this.footer);
    const wanted: FileRow[] = [];
    const count = await file.each("host", (host, row) => {
      if (isWanted(String(host), row)) wanted.push({ row, all: {} });
    });
    if (count !== chunks) throw new RangeError(`${count} rows instead of ${chunks}`);
    if (wanted.length > 0) await file.fill(wanted, without);
    return wanted;
  }
}

/** @throws {RangeError} */
export async function readSlice(
  { offsets }: SliceTable,
  slice: number,
  read: ManifestReader,
): Promise<Pairs> {
  const [start = 0, end = 0] = [offsets[slice], offsets[slice + 1]];
  if (start === end) return { hashes: new Float64Array(), chunks: new Uint32Array() };
  return unpackSlice(await read({ start, end }));
}

const Row = z.object({
  hour: z.number(),
  host: z.string(),
  chunk: z.string(),
  bytes: z.bigint(),
  etag: z.string(),
  rows: z.bigint().nullish(),
  ts_min: z.bigint().nullish(),
  ts_max: z.bigint().nullish(),
});
const Sha256 = z.string().nullish();

function entryOf(
  row: z.infer<typeof Row>,
  all: Readonly<Record<string, unknown>>,
  indexed: readonly string[],
): FoundEntry {
  const number = (value: bigint | null | undefined) =>
    typeof value === "bigint" ? Number(value) : null;
  const { hour, host, chunk, bytes, etag, rows, ts_min: first, ts_max: last } = row;
  return {
    ...{ hour, host, chunk, etag },
    bytes: Number(bytes),
    rows: number(rows),
    firstUs: number(first),
    lastUs: number(last),
    texts: Object.fromEntries(indexed.map((column) => {
      const [min, max] = [all[`${column}_min`], all[`${column}_max`]];
      return [column, typeof min === "string" && typeof max === "string" ? { min, max } : null];
    })),
  };
}

function factsOf(footer: Uint8Array): ManifestFacts {
  try {
    const { key_value_metadata: known = [] } = metadataOf(footer);
    const text = known.find(({ key }) => key === CATALOG_KEY)?.value ?? "";
    if (text.slice(0, CRC_LENGTH) !== crcAround(footer, text)) {
      throw new RangeError("its footer is damaged");
    }
    return ManifestFacts.parse(JSON.parse(text.slice(CRC_LENGTH)));
  } catch (cause) {
    throw new RangeError("it says nothing of a catalog", { cause });
  }
}

/** Hexadecimal digits. */
const CRC_LENGTH = 8;

/** The checksum of a footer but for where it stands itself: at the beginning of the facts' text. */
function crcAround(footer: Uint8Array, text: string): string {
  const bytes = Buffer.from(footer.buffer, footer.byteOffset, footer.length);
  const at = bytes.indexOf(text);
  const crc = crc32(bytes.subarray(at + CRC_LENGTH), crc32(bytes.subarray(0, at)));
  return crc.toString(16).padStart(CRC_LENGTH, "0");
}

/** The end of a file with these facts. @param footerOf makes it with a text under CATALOG_KEY */
export function endWithFacts(
  facts: ManifestFacts,
  footerOf: (text: string) => Uint8Array,
): Uint8Array {
  const json = JSON.stringify(facts);
  const blank = "0".repeat(CRC_LENGTH) + json;
  return footerOf(crcAround(footerOf(blank), blank) + json);
}
