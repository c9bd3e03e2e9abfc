/**
 * Archived chunks on this host's disk, as far as queries have needed them: of each object a sparse
 * file that has the fetched column chunks where they lie in the object, and a footer that names only
 * the row groups that were wanted. What was not fetched reads as zeros, which no Parquet page
 * begins with: a query that needs it fails.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { LogvendError } from "../../../protocol/errors.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import type { Column } from "../../../protocol/wire/messages.ts";
import { sha256Hex } from "../../../protocol/sha256.ts";
import { formatBytes } from "../../../protocol/units.ts";
import { withoutRefused } from "../../../queries/chunk/bloom_filter.ts";
import type { FooterFacts } from "../../../queries/chunk/check_footer.ts";
import {
  addedBytes,
  firstBytes,
  isIntact,
  loadFiles,
  notedFooter,
  pieceOf,
  removeFile,
  writeNote,
} from "./cached_file.ts";
import type { CachedFile } from "./cached_file.ts";
import { checkPlace } from "../../../queries/chunk/check_place.ts";
import { ChunkError } from "../../../queries/chunk/chunk_error.ts";
import { chooseRowGroups, rangesOf, storedValues } from "../../../queries/chunk/choose.ts";
import type { Want } from "../../../queries/chunk/choose.ts";
import { cutFooter } from "../../../queries/chunk/cut_footer.ts";
import { readFooter } from "../../../queries/chunk/footer.ts";
import type { Footer, RangeReader, RowGroup } from "../../../queries/chunk/footer.ts";
import { missingFrom, requestsFor, totalBytes, unite } from "../../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../../protocol/archive/ranges.ts";
import { Slots } from "./slots.ts";

/** Requests under way: each holds its answer in memory (ranges.ts), 24 MiB together. */
const REQUESTS_MAX = 12;

/** The same of ranges as they are, some kilobytes each: more at once hide how far a store is. */
const READS_MAX = 32;

/** Footers held in memory, some kilobytes each. */
const FOOTERS_MAX = 1_000;

/** One version of one object, and how its bytes are read. */
export interface CachedObject {
  key: string;
  etag: string;
  bytes: number;
  /** Length of its footer, where it is known. */
  footerBytes?: number | undefined;
  /** Of the chunk that it has to be; none: any. */
  place?: ChunkPlace | undefined;
  /** Whether, by what it says of itself, its rows are not wanted. @default they are */
  isLeftOut?: ((facts: FooterFacts) => boolean) | undefined;
  /** @throws when the object has another ETag by now */
  read: RangeReader;
}

/** Requests, and the bytes that came. */
export interface Fetched {
  requests: number;
  bytes: number;
}

/** What of a chunk can matter. Its file stays until it is released. */
export interface LentChunk {
  /** The object's. */
  key: string;
  /** Null: no row can matter, or no column was wanted. */
  path: string | null;
  /** Of the row groups that were chosen. */
  rows: number;
  firstUs: number;
  lastUs: number;
  /** Columns of the object, fetched or not. */
  columns: Column[];
  /** Names of those that were fetched. */
  wanted: ReadonlySet<string>;
  fetched: Fetched;
  release(): void;
  /** What was fetched is no good: it is not used again. */
  discard(): void;
}

export class ChunkCache {
  private readonly slots = new Slots(REQUESTS_MAX);
  private readonly readSlots = new Slots(READS_MAX);
  /** The least recently used first. */
  private readonly files = new Map<string, CachedFile>();
  private readonly footers = new Map<string, Footer>();
  /** Files of earlier processes by object: their notes have footers. */
  private readonly earlier = new Map<string, CachedFile>();
  /** One at a time for each object. */
  private readonly last = new Map<string, Promise<unknown>>();
  private bytes = 0;
  /** Files that go with their last reader. */
  private readonly doomed = new Set<CachedFile>();

  private constructor(private readonly folder: string, private readonly quotaBytes: number) {}

  /** Goes on with what the folder has, which is the cache's alone. */
  static async open(options: { folder: string; quotaBytes: number }): Promise<ChunkCache> {
    const { folder, quotaBytes } = options;
    await Deno.mkdir(folder, { recursive: true });
    const cache = new ChunkCache(folder, quotaBytes);
    for (const file of await loadFiles(folder)) {
      cache.files.set(file.name, file);
      cache.earlier.set(file.id, file);
      cache.bytes += file.bytes;
    }
    cache.forgetOldest();
    return cache;
  }

  /** Removes what is held of some objects; what is being read goes when it has been. */
  drop(isMeant: (key: string) => boolean): Promise<void> {
    this.footers.clear(); // they have the smallest and largest texts of columns
    for (const [id, file] of this.files) {
      if (!isMeant(file.key)) continue;
      this.files.delete(id);
      if (file.readers > 0) {
        this.doomed.add(file);
        continue;
      }
      this.bytes -= file.bytes;
      removeFile(file);
    }
    return Promise.resolve();
  }

  /** What its files take on the disk. */
  get usedBytes(): number {
    return this.bytes;
  }

  /**
   * Fetches what is missing of what is wanted. `columnsOf` says which columns, by those that the
   * object has and the row groups that were chosen.
   * @throws {ChunkError} of what is no chunk
   * @throws {LogvendError} unavailable beyond the quota, and what reading throws
   */
  async lend(
    object: CachedObject,
    want: Omit<Want, "columns">,
    columnsOf: (columns: readonly Column[], groups: readonly RowGroup[]) => ReadonlySet<string>,
  ): Promise<LentChunk> {
    return await this.inTurn(object, (id) => this.lendNow(id, object, want, columnsOf));
  }

  /** The bytes of a range as they are; fetched once. @throws {LogvendError} like lend */
  async read(object: CachedObject, range: ByteRange): Promise<Uint8Array> {
    return await this.inTurn(object, async (id) => {
      const name = `${id}.bytes`; // no note is made of it: it goes with this process
      const file = this.files.get(name) ?? this.newFile({ id, name, key: object.key });
      this.files.delete(name);
      this.files.set(name, file); // as the most recently used
      file.readers++;
      try {
        const missing = missingFrom([range], file.present);
        this.makeRoom(file, totalBytes(missing));
        const handle = await open(file.path, file.begun ? "r+" : "w+");
        try {
          file.begun = true;
          for (const one of missing) {
            const fetched = await this.readSlots.run(() => readWhole(object, one));
            await handle.write(fetched, 0, fetched.length, one.start);
            file.present = unite([...file.present, one]);
          }
          const bytes = new Uint8Array(range.end - range.start);
          await handle.read(bytes, 0, bytes.length, range.start);
          return bytes;
        } finally {
          await handle.close();
        }
      } finally {
        this.leave(file);
      }
    });
  }

  /** What is done with one version of an object is done one after the other. */
  private async inTurn<T>(
    { key, etag }: CachedObject,
    work: (id: string) => Promise<T>,
  ): Promise<T> {
    const id = sha256Hex(`${key}\n${etag}`).slice(0, 24);
    const turn = (this.last.get(id) ?? Promise.resolve()).then(() => work(id));
    const ended = turn.then(() => {}, () => {});
    this.last.set(id, ended);
    await ended;
    if (this.last.get(id) === ended) this.last.delete(id);
    return await turn;
  }

  private async lendNow(
    id: string,
    object: CachedObject,
    want: Omit<Want, "columns">,
    columnsOf: Parameters<ChunkCache["lend"]>[2],
  ): Promise<LentChunk> {
    const fetched: Fetched = { requests: 0, bytes: 0 };
    const read: RangeReader = (range) =>
      this.slots.run(async () => {
        fetched.requests++;
        const bytes = await readWhole(object, range);
        fetched.bytes += bytes.length;
        return bytes;
      });
    const footer = await this.footerOf(id, object, read);
    const values = storedValues(footer, want.values);
    const chosen = object.isLeftOut?.(footer.facts) === true
      ? []
      : chooseRowGroups(footer, { ...want, values });
    const groups = await withoutRefused(read, chosen, values);
    const columns = columnsOf(footer.columns, groups);
    const lent = {
      key: object.key,
      rows: groups.reduce((sum, { rows }) => sum + rows, 0),
      firstUs: Math.min(...groups.map(({ firstUs }) => firstUs)),
      lastUs: Math.max(...groups.map(({ lastUs }) => lastUs)),
      columns: footer.columns,
      wanted: columns,
      fetched,
    };
    if (groups.length === 0 || columns.size === 0) {
      return { ...lent, path: null, release() {}, discard() {} };
    }
    const wanted = rangesOf(groups, columns);
    const file = await this.fill({ id, key: object.key, footer, groups, wanted, read });
    let isLent = true;
    return {
      ...lent,
      path: file.path,
      release: () => {
        if (isLent) this.leave(file);
        isLent = false;
      },
      discard: () => {
        if (this.files.get(file.name) === file) this.files.delete(file.name);
        if (isLent) this.doomed.add(file);
      },
    };
  }

  private leave(file: CachedFile) {
    file.readers--;
    if (file.readers > 0 || !this.doomed.delete(file)) return;
    this.bytes -= file.bytes;
    removeFile(file);
  }

  private async footerOf(id: string, object: CachedObject, read: RangeReader): Promise<Footer> {
    const known = this.footers.get(id) ?? await this.notedFooter(id);
    this.footers.delete(id);
    const footer = known ?? await readFooter(read, object.bytes, object.footerBytes);
    if (object.place !== undefined) checkPlace(footer.facts, object.place);
    this.footers.set(id, footer);
    const [oldest] = this.footers.keys();
    if (this.footers.size > FOOTERS_MAX && oldest !== undefined) this.footers.delete(oldest);
    return footer;
  }

  /** The file of these row groups, with the wanted bytes in it; it counts as read. */
  private async fill(filling: Filling): Promise<CachedFile> {
    const { id, key: objectKey, footer, groups, wanted, read } = filling;
    const name = `${id}.${groups.map(({ index }) => index).join("-")}`;
    // Row groups may be many, and names may not be long.
    const key = groups.length > 20 ? `${id}.${sha256Hex(name).slice(0, 24)}` : name;
    const file = await this.intact(key) ?? this.newFile({ id, name: key, key: objectKey });
    this.files.delete(key);
    this.files.set(key, file); // as the most recently used
    file.readers++;
    try {
      const requests = requestsFor(missingFrom(wanted, file.present));
      this.makeRoom(file, addedBytes(requests) + (file.begun ? 0 : firstBytes(footer)));
      const handle = await open(file.path, file.begun ? "r+" : "w");
      const write = async (start: number, bytes: Uint8Array) => {
        await handle.write(bytes, 0, bytes.length, start);
        file.pieces.push(pieceOf(start, bytes));
      };
      const isNew = !file.begun;
      try {
        if (isNew) {
          const end = cutFooter(footer.bytes, new Set(groups.map(({ index }) => index)));
          await write(footer.offset, end);
          file.begun = true;
        }
        await settleAll(requests.map(async (range) => {
          await write(range.start, await read(range));
          file.present = unite([...file.present, range]);
        }));
      } finally {
        await handle.close();
      }
      if (isNew || requests.length > 0) await writeNote(file, footer);
      return file;
    } catch (error) {
      this.leave(file);
      throw error;
    }
  }

  private newFile(about: Pick<CachedFile, "id" | "name" | "key">): CachedFile {
    // One that goes has another path than the next of its name.
    const path = join(this.folder, `${about.name}.${crypto.randomUUID().slice(0, 8)}.parquet`);
    const nothing = { begun: false, present: [], pieces: [], bytes: 0, readers: 0 };
    return { ...about, path, ...nothing, isSure: true };
  }

  /** A file that is here; one of an earlier process is hashed before it is used. */
  private async intact(name: string): Promise<CachedFile | null> {
    const file = this.files.get(name) ?? null;
    if (file === null || file.isSure) return file;
    file.readers++; // it stays meanwhile
    file.isSure = await isIntact(file);
    if (!file.isSure) {
      this.files.delete(name);
      this.doomed.add(file);
    }
    this.leave(file);
    return file.isSure && this.files.get(name) === file ? file : null;
  }

  /** A footer that an earlier process has read. */
  private async notedFooter(id: string): Promise<Footer | null> {
    const file = this.earlier.get(id);
    this.earlier.delete(id);
    return file === undefined ? null : await notedFooter(file);
  }

  /** Removes what was not used for longest, until the rest keeps to the quota. */
  private forgetOldest() {
    for (const [name, file] of this.files) {
      if (this.bytes <= this.quotaBytes) return;
      if (file.readers > 0) continue;
      this.files.delete(name);
      this.bytes -= file.bytes;
      removeFile(file);
    }
  }

  /** Takes room for a file. @throws {LogvendError} unavailable, where readers hold all there is */
  private makeRoom(taker: CachedFile, bytes: number) {
    taker.bytes += bytes;
    this.bytes += bytes;
    this.forgetOldest();
    if (this.bytes <= this.quotaBytes) return;
    taker.bytes -= bytes;
    this.bytes -= bytes;
    throw new LogvendError(
      "unavailable",
      `The query needs more of the archive at once than the cache may hold ` +
        `(${formatBytes(this.quotaBytes)}): raise archive.cache, or ask for less`,
    );
  }
}

interface Filling {
  id: string;
  key: string;
  footer: Footer;
  groups: readonly RowGroup[];
  wanted: readonly ByteRange[];
  read: RangeReader;
}

async function readWhole(object: CachedObject, range: ByteRange): Promise<Uint8Array> {
  const bytes = await object.read(range);
  if (bytes.length === range.end - range.start) return bytes;
  throw new ChunkError("it is shorter than was listed");
}

/** Waits for all, and throws the first error of them only then. */
async function settleAll(tasks: readonly Promise<void>[]) {
  for (const settled of await Promise.allSettled(tasks)) {
    if (settled.status === "rejected") throw settled.reason;
  }
}
