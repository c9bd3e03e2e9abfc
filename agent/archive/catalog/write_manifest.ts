/** Writes a manifest: the chunks of an older one that are still there, and others beside them. */
import { crc32 } from "node:zlib";
import { dayCounts } from "../../../protocol/archive/archived_hours.ts";
import { identifier, literal } from "../../../protocol/schema/table_sql.ts";
import { Engine, textsOf } from "../../../queries/duckdb/engine.ts";
import { FILE, footerBytes, readFooter } from "../../../queries/parquet/footer.ts";
import { structs, text } from "../../../queries/parquet/thrift.ts";
import {
  HASH_BITS,
  packSlice,
  sliceBits,
  sliceOf,
  sortedPairs,
} from "../../../protocol/archive/catalog/fingerprints.ts";
import {
  CATALOG_KEY,
  CATALOG_VERSION,
  endWithFacts,
  readSlice,
} from "../../../protocol/archive/catalog/manifest.ts";
import type {
  CatalogEntry,
  Manifest,
  ManifestFacts,
  ManifestReader,
} from "../../../protocol/archive/catalog/manifest.ts";

/** A chunk that was looked at. */
export interface DescribedChunk {
  entry: CatalogEntry;
  /** By column: hashes of all its texts, in order, each once. Absent: any text may be in it. */
  hashes: ReadonlyMap<string, Float64Array>;
}

/** An older manifest, and what of it stays. */
export interface KeptManifest {
  manifest: Manifest;
  read: ManifestReader;
  /** For each of its rows, the same as it is now; null: it is gone. */
  entries: readonly (CatalogEntry | null)[];
}

export interface NewManifest {
  day: Pick<ManifestFacts, "stream" | "region" | "date">;
  facts: Pick<ManifestFacts, "listed_ms" | "indexed" | "changes">;
  kept: KeptManifest | null;
  added: readonly DescribedChunk[];
}

/** A chunk's place in the older file, or among those added. */
type Place = { entry: CatalogEntry } & ({ kept: number } | { added: number });

/** Writes it to a path that is free; not synced. */
export async function writeManifest(path: string, manifest: NewManifest): Promise<ManifestFacts> {
  const { day, facts, kept, added } = manifest;
  const places: Place[] = [
    ...(kept?.entries ?? []).flatMap((entry, i) => entry === null ? [] : [{ entry, kept: i }]),
    ...added.map(({ entry }, i) => ({ entry, added: i })),
  ].sort((a, b) => inOrder(a.entry, b.entry));
  const entries = places.map(({ entry }) => entry);
  await writeEntries(path, entries, facts.indexed);
  using file = await Deno.open(path, { read: true, write: true });
  const footer = await readFooter(file);
  await file.truncate(footer.bodyEnd);
  const output = new Output(file, footer.bodyEnd);
  const rows = { start: 0, end: footer.bodyEnd, crc: crc32(await Deno.readFile(path)) };
  await file.seek(footer.bodyEnd, Deno.SeekMode.Start);
  const tables: { column: string; bits: number; pairs: number; bytes: Uint8Array }[] = [];
  for (const column of facts.indexed) {
    tables.push(await writeSlices(output, { column, places, kept, added }));
  }
  const fingerprints: ManifestFacts["fingerprints"] = [];
  for (const { column, bits, pairs, bytes } of tables) {
    const start = output.at;
    await output.write(bytes);
    const table = { start, end: output.at, crc: crc32(bytes) };
    fingerprints.push({ column, bits, pairs, table });
  }
  const whole: ManifestFacts = {
    ...{ version: CATALOG_VERSION, ...day, ...facts },
    chunks: entries.length,
    hosts: hoursOf(entries),
    entries: rows,
    fingerprints,
  };
  const end = endWithFacts(whole, (facts) => {
    const metadata = new Map([[1, text(CATALOG_KEY)], [2, text(facts)]]);
    footer.fields.set(FILE.metadata, structs([metadata]));
    return footerBytes(footer.fields);
  });
  await output.write(end);
  return whole;
}

function hoursOf(entries: readonly CatalogEntry[]): ManifestFacts["hosts"] {
  const hours = new HostHours();
  for (const entry of entries) hours.add(entry);
  return hours.all();
}

function inOrder(a: CatalogEntry, b: CatalogEntry): number {
  if (a.hour !== b.hour) return a.hour - b.hour;
  if (a.host !== b.host) return a.host < b.host ? -1 : 1;
  return a.chunk < b.chunk ? -1 : 1;
}

/** How many chunks hosts have of the hours of a day, as facts have it. */
export class HostHours {
  private readonly hosts = new Map<string, number[]>();

  add({ host, hour }: Pick<CatalogEntry, "host" | "hour">) {
    const counts = this.hosts.get(host) ?? [];
    counts[hour] = (counts[hour] ?? 0) + 1;
    this.hosts.set(host, counts);
  }

  /** By host. */
  all(): Record<string, string> {
    return Object.fromEntries([...this.hosts].map(([host, counts]) => [host, dayCounts(counts)]));
  }
}

/** Rows as any reader of Parquet has them. */
async function writeEntries(
  path: string,
  entries: readonly CatalogEntry[],
  indexed: readonly string[],
) {
  const list = (name: string, type: string) => `unnest(${textsOf(name)})::${type}`;
  const time = (name: string) => `make_timestamp(${list(name, "BIGINT")})`;
  const texts = indexed.flatMap((column, i) =>
    ["min", "max"].map((edge) => {
      return `${list(`${edge}${i}`, "VARCHAR")} AS ${identifier(`${column}_${edge}`)}`;
    })
  );
  await using engine = await Engine.open();
  const write = await engine.prepareOnTexts(
    `COPY (SELECT ${list("hour", "SMALLINT")} AS hour, ${list("host", "VARCHAR")} AS host,
      ${list("chunk", "VARCHAR")} AS chunk, ${list("bytes", "BIGINT")} AS bytes,
      ${list("etag", "VARCHAR")} AS etag, ${list("rows", "BIGINT")} AS rows,
      ${time("first")} AS ts_min, ${time("last")} AS ts_max,
      ${[`${list("sha256", "VARCHAR")} AS sha256`, ...texts].join(", ")}
    ) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2_000_000)`,
  );
  const column = (value: (entry: CatalogEntry) => string | number | null | undefined) =>
    entries.map((entry) => {
      const found = value(entry) ?? null;
      return found === null ? null : String(found);
    });
  await write({
    hour: column(({ hour }) => hour),
    host: column(({ host }) => host),
    chunk: column(({ chunk }) => chunk),
    bytes: column(({ bytes }) => bytes),
    etag: column(({ etag }) => etag),
    rows: column(({ rows }) => rows),
    first: column(({ firstUs }) => firstUs),
    last: column(({ lastUs }) => lastUs),
    sha256: column(({ sha256 }) => sha256),
    ...Object.fromEntries(indexed.flatMap((name, i) => [
      [`min${i}`, column(({ texts }) => texts[name]?.min)],
      [`max${i}`, column(({ texts }) => texts[name]?.max)],
    ])),
  });
}

interface SlicesOf {
  column: string;
  places: readonly Place[];
  kept: KeptManifest | null;
  added: readonly DescribedChunk[];
}

/** The slices of one column; returns the table of them. */
async function writeSlices(output: Output, { column, places, kept, added }: SlicesOf) {
  const keptTo = new Map<number, number>();
  const sources: { hashes: Float64Array; chunk: number }[] = [];
  const open: number[] = [];
  const table = kept?.manifest.tables.get(column);
  const wasOpen = new Set(table?.open);
  for (const [chunk, place] of places.entries()) {
    const hashes = "added" in place ? added[place.added]?.hashes.get(column) : undefined;
    if (hashes !== undefined) sources.push({ hashes, chunk });
    else if ("added" in place || table === undefined || wasOpen.has(place.kept)) open.push(chunk);
    else keptTo.set(place.kept, chunk);
  }
  const older = new KeptPairs(kept, column, keptTo);
  const addedPairs = sources.reduce((sum, { hashes }) => sum + hashes.length, 0);
  const bits = sliceBits(addedPairs + (table?.pairs ?? 0), places.length);
  const offsets = new Uint32Array(2 ** bits + 1);
  const newer = bySlice(sources, addedPairs, bits);
  let pairs = 0;
  for (let slice = 0; slice < 2 ** bits; slice++) {
    offsets[slice] = output.at;
    const [hashes, chunks] = await older.before((slice + 1) * 2 ** (HASH_BITS - bits));
    for (let at = newer.starts[slice]!; at < newer.starts[slice + 1]!; at++) {
      hashes.push(newer.hashes[at]!);
      chunks.push(newer.chunks[at]!);
    }
    pairs += hashes.length;
    if (hashes.length > 0) await output.write(packSlice(sortedPairs(hashes, chunks, bits)));
  }
  offsets[2 ** bits] = output.at;
  const bytes = new Uint8Array(Uint32Array.from([...offsets, ...open]).buffer);
  return { column, bits, pairs, bytes };
}

/** Pairs slice after slice, and where each begins: chunks are gone through twice, not once a slice. */
function bySlice(
  sources: readonly { hashes: Float64Array; chunk: number }[],
  count: number,
  bits: number,
) {
  const starts = new Uint32Array(2 ** bits + 1);
  for (const { hashes } of sources) {
    for (let i = 0; i < hashes.length; i++) starts[sliceOf(hashes[i]!, bits) + 1]!++;
  }
  for (let slice = 0; slice < 2 ** bits; slice++) starts[slice + 1]! += starts[slice]!;
  const [hashes, chunks, next] = [new Float64Array(count), new Uint32Array(count), starts.slice()];
  for (const source of sources) {
    for (let i = 0; i < source.hashes.length; i++) {
      const hash = source.hashes[i]!;
      const at = next[sliceOf(hash, bits)]!++;
      hashes[at] = hash;
      chunks[at] = source.chunk;
    }
  }
  return { hashes, chunks, starts };
}

/** Those of an older manifest, in the order of hashes, a slice of its own at a time. */
class KeptPairs {
  private slice = 0;
  private waiting: { hashes: number[]; chunks: number[] } = { hashes: [], chunks: [] };

  constructor(
    private readonly kept: KeptManifest | null,
    private readonly column: string,
    private readonly to: ReadonlyMap<number, number>,
  ) {}

  /** Those with smaller hashes that have not been given yet. */
  async before(end: number): Promise<[hashes: number[], chunks: number[]]> {
    const table = this.kept?.manifest.tables.get(this.column);
    if (this.kept === null || table === undefined) return [[], []];
    const count = 2 ** table.bits;
    while (this.slice < count && this.slice * 2 ** (HASH_BITS - table.bits) < end) {
      const read = await readSlice(table, this.slice++, this.kept.read);
      for (const [i, hash] of read.hashes.entries()) {
        const chunk = this.to.get(read.chunks[i] ?? 0);
        if (chunk === undefined) continue;
        this.waiting.hashes.push(hash);
        this.waiting.chunks.push(chunk);
      }
    }
    const { hashes, chunks } = this.waiting;
    const at = hashes.findIndex((hash) => hash >= end);
    const taken = at < 0 ? hashes.length : at;
    this.waiting = { hashes: hashes.slice(taken), chunks: chunks.slice(taken) };
    return [hashes.slice(0, taken), chunks.slice(0, taken)];
  }
}

/** The end of a file that is written. */
class Output {
  constructor(private readonly file: Deno.FsFile, public at: number) {}

  async write(bytes: Uint8Array) {
    for (let written = 0; written < bytes.length;) {
      written += await this.file.write(bytes.subarray(written));
    }
    this.at += bytes.length;
    if (this.at >= 2 ** 32) throw new RangeError("a manifest of more than 4 GB");
  }
}
