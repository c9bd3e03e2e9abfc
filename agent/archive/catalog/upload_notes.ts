/** What a host tells the catalog of the chunks that it stores: days that change late, and what is in them. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { entryKey } from "../../../protocol/archive/catalog/catalog_keys.ts";
import { isSaid } from "../../../protocol/archive/catalog/changed_days.ts";
import type { ChangedDays } from "../../../protocol/archive/catalog/changed_days.ts";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import { messageOf } from "../../../protocol/errors.ts";
import { removeIfThere } from "../../../protocol/durable_file.ts";
import { hashFile } from "../../store/files/verify.ts";
import { readFooter } from "../../../queries/chunk/footer.ts";
import type { ByteRange } from "../../../protocol/archive/ranges.ts";
import { ChunkDescriber } from "./describe_chunk.ts";
import { writeManifest } from "./write_manifest.ts";

export interface UploadNotesOptions {
  store: ObjectStore;
  dataDir: string;
  own: ChangedDays;
  /** Columns by stream, in lower case. */
  index: ReadonlyMap<string, readonly string[]>;
  clock?: () => number;
}

/** A chunk as the archive has it. */
export interface StoredChunk {
  /** Relative to the data folder, and its key. */
  path: string;
  bytes: number;
  sha256: string;
}

export class UploadNotes {
  private readonly clock: () => number;

  constructor(private readonly options: UploadNotesOptions) {
    this.clock = options.clock ?? Date.now;
  }

  /** Before it is stored: a day that manifests may have as closed is listed from now on. */
  async begin(path: string, signal: AbortSignal): Promise<void> {
    const place = placeOf(path);
    if (isSaid(dateOf(place), this.clock())) await this.say(place, signal);
  }

  /** Once it is stored, and before it counts as archived. @throws {ObjectStoreError} */
  async stored(chunk: StoredChunk, signal: AbortSignal): Promise<void> {
    const place = placeOf(chunk.path);
    // It may have taken days.
    if (isSaid(dateOf(place), this.clock())) await this.say(place, signal);
    const index = this.options.index.get(place.stream) ?? [];
    if (index.length === 0) return;
    await this.note(place, chunk, signal).catch((error) => {
      signal.throwIfAborted();
      // Whoever makes the manifest looks at the chunk itself.
      getLogger(["agent", "catalog"]).debug("Cannot note what is in {path}: {error}", {
        path: chunk.path,
        error: messageOf(error),
      });
    });
  }

  /** Nothing is on its way: what was said to change has changed. @throws {ObjectStoreError} */
  async settle(signal: AbortSignal): Promise<void> {
    await this.options.own.close(signal);
  }

  private async say({ stream, hour }: ChunkPlace, signal: AbortSignal) {
    await this.options.own.open([{ stream, date: hour.slice(0, 10) }], signal);
  }

  private async note(place: ChunkPlace, chunk: StoredChunk, signal: AbortSignal) {
    const { store, dataDir, index } = this.options;
    const { stream, region } = place;
    const indexed = index.get(stream) ?? [];
    const source = join(dataDir, chunk.path);
    const path = join(dataDir, "open", `noted-${place.chunk}.parquet`); // a start empties that folder
    const footer = await footerOf(source);
    const facts = await store.head(chunk.path, signal);
    const groups = footer.rowGroups;
    await using describer = new ChunkDescriber();
    const described = await describer.describe({
      place,
      path: source,
      columns: footer.columns,
      rows: groups.reduce((sum, { rows }) => sum + rows, 0),
      firstUs: Math.min(...groups.map(({ firstUs }) => firstUs)),
      lastUs: Math.max(...groups.map(({ lastUs }) => lastUs)),
      bytes: chunk.bytes,
      etag: facts?.etag ?? "",
      sha256: facts?.sha256 ?? null,
    }, indexed);
    const day = { stream, region, date: dateOf(place) };
    try {
      await Deno.mkdir(join(dataDir, "open"), { recursive: true });
      await writeManifest(path, {
        day,
        facts: { listed_ms: null, indexed: [...indexed].sort(), changes: {} },
        kept: null,
        added: [described],
      });
      const key = entryKey(day, place);
      await store.put({ key, body: { path }, sha256: await hashFile(path) }, signal);
    } finally {
      await removeIfThere(path);
    }
  }
}

async function footerOf(path: string) {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  const read = async ({ start, end }: ByteRange) => {
    const bytes = new Uint8Array(end - start);
    await file.seek(start, Deno.SeekMode.Start);
    for (let filled = 0; filled < bytes.length;) {
      const count = await file.read(bytes.subarray(filled));
      if (count === null) return bytes.subarray(0, filled);
      filled += count;
    }
    return bytes;
  };
  return await readFooter(read, size);
}

function placeOf(path: string): ChunkPlace {
  const place = parseChunkPath(path);
  if (place === null) throw new Error(`no chunk: ${path}`); // the store names its own
  return place;
}

function dateOf({ hour }: ChunkPlace): string {
  return hour.slice(0, 10);
}
