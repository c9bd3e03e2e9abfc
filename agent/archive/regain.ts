/**
 * Learns from the archive which lines of the log files that are here an earlier data folder of this
 * host had archived: chunks say which files they are of, and where in them their rows lie.
 */
import { getLogger } from "@logtape/logtape";
import type { ListedChunk } from "../../protocol/archive/archive_piece.ts";
import { readObject } from "../../protocol/archive/object_store.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import { messageOf } from "../../protocol/errors.ts";
import { counted } from "../../protocol/units.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { GenerationFacts } from "../store/files/file_metadata.ts";
import type { FormerFolder } from "../store/recovery/former_folder.ts";
import type { FormerLines } from "../store/recovery/former_lines.ts";
import type { RegionCatalog } from "./catalog/open_catalog.ts";
import { archivedRuns, positionColumns } from "./archived_runs.ts";
import type { RunsWanted } from "./archived_runs.ts";
import { findBounds, findChunks } from "./queries/find_chunks.ts";
import type { FooterFacts } from "../../queries/chunk/check_footer.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";
import { retried } from "./reads/retried.ts";
import { Slots } from "./reads/slots.ts";
import { backoffMs } from "./schedule.ts";

/** Chunks that are looked at at once: mostly a request each. */
const CHUNKS_AT_ONCE = 16;

/** Of these so many whose positions are read: each takes a DuckDB. */
const READ_AT_ONCE = 2;

/** More are no reason to wait longer than 16 s: nothing is read meanwhile. */
const FAILURES_MAX = 4;

/** For the positions of a chunk's rows. */
const MEMORY_BYTES = 128e6;

/** What the log files of a stream begin with. */
export interface KnownBeginnings {
  has(sha256: string, bytes: number): boolean;
  /** Whether several lines may be one row. */
  hasRecords: boolean;
}

export interface RegainOptions {
  catalog: Pick<RegionCatalog, "store" | "cache" | "shelf" | "changes">;
  lines: Pick<FormerLines, "add">;
  former: Pick<FormerFolder, "isOfThis">;
  self: { host: string; region: string; labels: Readonly<Record<string, string>> };
  /** By stream. */
  beginnings: ReadonlyMap<string, KnownBeginnings>;
  /** Tables whose chunks hold their lines. */
  tables: readonly string[];
  /** @throws the signal's reason */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Tries until the archive has answered. Resolves with the files that it has lines of, whose runs have
 * been added. @throws the signal's reason
 */
export async function regain(
  options: RegainOptions,
  signal: AbortSignal,
): Promise<GenerationFacts[]> {
  const log = getLogger(["agent", "archive"]);
  const regaining = new Regaining(options, signal);
  for (let failures = 0;; failures++) {
    try {
      return await regaining.run();
    } catch (error) {
      signal.throwIfAborted();
      if (failures === 0) {
        log.warn("Log files wait until the archive says which lines it has of them: {error}", {
          error: messageOf(error),
        });
      }
      await options.wait(backoffMs(Math.min(failures, FAILURES_MAX), Math.random), signal);
    }
  }
}

class Regaining {
  private readonly log = getLogger(["agent", "archive"]);
  /** The newest that is known of each file. */
  private readonly facts = new Map<string, GenerationFacts>();
  private readonly seen = new Set<string>();
  private readonly reading = new Slots(READ_AT_ONCE);
  private lines = 0;

  constructor(private readonly options: RegainOptions, private readonly signal: AbortSignal) {}

  /** May be called again after it has thrown: what has been looked at is not looked at again. */
  async run(): Promise<GenerationFacts[]> {
    await this.lookAtAll();
    if (this.facts.size > 0) {
      this.log.info("The archive has {lines} of {files}: they are not read again", {
        lines: counted(this.lines, "line"),
        files: counted(this.facts.size, "log file"),
      });
    }
    return [...this.facts.values()];
  }

  /** Late lines may be of any hour, however young their log file is. */
  private async lookAtAll() {
    const { catalog, self, tables, former } = this.options;
    const needs = { columns: [], values: {}, countsOnly: false };
    const scope = {
      selector: "",
      needs: Object.fromEntries(tables.map((table) => [table, needs])),
      hosts: [self.host],
      ...{ since: null, until: null, regions: null },
    };
    const onUnreadable = () => {}; // it is listed; queries say so
    const parts = { ...catalog, self, ...findBounds(), onUnreadable };
    const { chunks } = await findChunks(parts, scope, this.signal);
    const slots = new Slots(CHUNKS_AT_ONCE);
    const looked = await Promise.allSettled(
      chunks.reverse().map(async (chunk) => {
        const place = parseChunkPath(chunk.key);
        if (place === null || this.seen.has(chunk.key) || former.isOfThis(place.chunk)) return;
        await slots.run(() => this.look(chunk, { table: place.stream, id: place.chunk }));
      }),
    );
    for (const one of looked) if (one.status === "rejected") throw one.reason;
  }

  private async look(chunk: ListedChunk, place: ChunkPlace) {
    this.signal.throwIfAborted();
    try {
      await this.lookAt(chunk, place);
    } catch (error) {
      if (!(error instanceof ChunkError)) throw error;
      const { key } = chunk;
      this.log.warn("{key} is passed by: {error}", { key, error: error.message });
    }
    this.seen.add(chunk.key);
    if (this.seen.size % 1_000 === 0) {
      const chunks = counted(this.seen.size, "chunk");
      this.log.info("Looked at {chunks} in the archive", { chunks });
    }
  }

  /** Reads the columns that say where rows lie, if they are rows of files that are here. */
  private async lookAt({ key, bytes, etag }: ListedChunk, { table, id }: ChunkPlace) {
    const { catalog: { store, cache } } = this.options;
    let files: GenerationFacts[] = [];
    const object = {
      ...{ key, bytes, etag, chunk: id },
      isLeftOut: (facts: FooterFacts) => (files = this.filesOf(facts)).length === 0,
      read: (range: { start: number; end: number }) =>
        retried(() => readObject(store, key, { range, ifMatch: etag }, this.signal), {
          signal: this.signal,
        }),
    };
    const form = { table, hasRecords: this.options.beginnings.get(table)?.hasRecords ?? false };
    const all = { sinceUs: -Infinity, untilUs: Infinity, values: {} };
    const lent = await cache.lend(object, all, (columns) => positionColumns(form, columns));
    try {
      if (lent.path === null || files.length === 0) return;
      const wanted = { ...form, path: lent.path, generations: files.map((file) => file.id) };
      await this.reading.run(() => this.note(wanted));
    } catch (error) {
      if (error instanceof ChunkError) lent.discard();
      throw error;
    } finally {
      lent.release();
    }
    for (const file of files) {
      if (file.offset > (this.facts.get(file.id)?.offset ?? -1)) this.facts.set(file.id, file);
    }
  }

  private async note(wanted: RunsWanted) {
    await using engine = await Engine.open({ memoryBytes: MEMORY_BYTES });
    for await (const some of archivedRuns(engine, wanted)) {
      for (const [generation, of] of Map.groupBy(some, (run) => run.generation)) {
        this.options.lines.add(generation, of);
      }
      this.lines += some.reduce((sum, run) => sum + run.lines, 0);
    }
  }

  /** The log files that are here of those that a chunk holds lines of. */
  private filesOf({ generations }: FooterFacts): GenerationFacts[] {
    return generations.flatMap((said) => GenerationFacts.safeParse(said).data ?? []).filter(
      ({ stream, headSha256, headBytes }) =>
        headSha256 !== null &&
        this.options.beginnings.get(stream)?.has(headSha256, headBytes) === true,
    );
  }
}

interface ChunkPlace {
  table: string;
  id: string;
}
