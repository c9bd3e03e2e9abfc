/** The agent's store: newest rows in memory, parts, sealed chunks, and agent.db over them all. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { Erasure } from "../../protocol/signing/erasure.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Table } from "../../protocol/wire/messages.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { ACCOUNTING, QUERY_LOG, REJECTS, tablesOf } from "../../protocol/schema/streams.ts";
import { writeAccountFile } from "../account/account_file.ts";
import { hoursOf } from "../account/book.ts";
import { readQueryLog } from "../query_log/query_log.ts";
import type { AskedQuery, QueryOutcome } from "../query_log/query_log.ts";
import { writeQueryLogFile } from "../query_log/query_log_file.ts";
import type { ArchiveBook } from "./database/archive_book.ts";
import type { Batch, BatchSink, FormerFiles, Gap, Generation } from "./batch.ts";
import type { StoredFile } from "./database/catalog.ts";
import { denialOf, deny } from "./database/denied.ts";
import type { Denial } from "./database/denied.ts";
import { eraseChunk, hoursToErase } from "./sealing/erase_chunk.ts";
import type { ChunkErasure } from "./sealing/erase_chunk.ts";
import type { ErasureBook } from "./database/erasures.ts";
import { Holdings } from "./files/holdings.ts";
import type { Keeper } from "./files/keeper.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { filesOfTables, makeTables } from "./rows/made_tables.ts";
import { gapTotal } from "./database/gaps.ts";
import { PackedBook } from "./database/packed_book.ts";
import { Mutex } from "./mutex.ts";
import type { StoreCondition } from "./observer.ts";
import { OpenFiles } from "./rows/open_files.ts";
import type { OpenFile } from "./rows/open_files.ts";
import { openParts } from "./open_store.ts";
import type { StoreParts } from "./open_store.ts";
import { lostIn } from "./database/removed.ts";
import { ChunkWriter } from "./sealing/chunk_writer.ts";
import type { Sealer } from "./sealing/chunk_writer.ts";
import { SealProcess } from "./sealing/seal_process.ts";
import { isRipe, sealHours, waitingHours } from "./sealing/seal.ts";
import type { SealContext, WaitingHour } from "./sealing/seal.ts";
import type { Snapshot, SnapshotRequest, SnapshotSource, SnapshotTable } from "./snapshot.ts";
import { filesOf, microseconds, snapshotOf } from "./files/stored_snapshot.ts";
import type { StoreOptions } from "./store_options.ts";
import { readTotals } from "./database/totals.ts";
import type { WindowBook } from "./database/touched.ts";
import type { StoreTotals } from "./database/totals.ts";
import { Unflushed } from "./rows/unflushed.ts";

/** Between two tries to write to a disk that is full or gone. */
const RETRY_MS = 1_000;

export interface StoreStats {
  /** Rejected lines kept. */
  rejects: number;
  /** Bytes of parts and chunks. */
  storedBytes: number;
  /** What is in no chunk yet. */
  open: { rows: number; bytes: number };
}

export class Store implements BatchSink, SnapshotSource, AsyncDisposable {
  private readonly log = getLogger(["agent", "store"]);
  private readonly mutex = new Mutex();
  private readonly chunkWork = new Mutex();
  private readonly sealing = new Mutex();
  private readonly openFiles: OpenFiles;
  private readonly unflushed: Unflushed;
  /** As the fleet is told. */
  readonly holdings: Holdings;
  readonly packed: PackedBook;
  private readonly clock: () => number;
  private readonly openedMs: number;
  private broken = false;
  private writeError: string | null = null;
  private flushTriedMs = performance.now();

  private constructor(private readonly parts: StoreParts) {
    this.clock = parts.options.clock ?? Date.now;
    this.openedMs = this.clock();
    this.openFiles = new OpenFiles(parts.options.dataDir, parts.memory, parts.leases);
    const { options: { host }, database, memory } = parts;
    this.unflushed = new Unflushed(parts);
    this.packed = new PackedBook(database);
    const waitingGaps = () => this.unflushed.gaps;
    this.holdings = new Holdings({ database, memory, host, waitingGaps, clock: this.clock });
  }

  /** Opens the store of a data folder, which nobody else may be writing. */
  static async open(options: StoreOptions): Promise<Store> {
    return new Store(await openParts(options));
  }

  generations(stream: string): Generation[] {
    return [...this.unflushed.generations.values()].filter((g) => g.stream === stream)
      .map((g) => ({ ...g }));
  }

  /** The same without what was appended since the last flush. */
  durableGenerations(stream: string): Generation[] {
    return this.parts.catalog.generations(stream);
  }

  get former(): FormerFiles {
    return this.unflushed.passed;
  }

  putGeneration(generation: Generation) {
    this.unflushed.put(generation);
  }

  addGap(gap: Gap) {
    this.unflushed.gaps.push(gap);
  }

  async append(batch: Batch): Promise<void> {
    await this.mutex.run(() => {
      const generation = this.unflushed.generationOf(batch);
      if (batch.passed === undefined) this.addToMemory(generation, batch);
      this.holdings.rowsAdded();
      this.unflushed.grow(generation, batch);
    });
    await this.flushWhileFull();
    await this.parts.quota?.room(this.parts.options.signal);
  }

  /** Makes everything appended so far durable. */
  async flush(): Promise<void> {
    this.flushTriedMs = performance.now();
    await this.unflushed.syncSources(); // most of it, while queries go on
    await this.mutex.run(() => this.flushNow());
    await this.parts.quota?.check();
  }

  /** Of the files on the disk. */
  get keeper(): Keeper {
    return this.parts.keeper;
  }

  /** Of what windows have still to count, and how far sinks have got. */
  get windowBook(): WindowBook {
    return this.parts.windowBook;
  }

  /** Which chunks the archive has. */
  get archiveBook(): ArchiveBook {
    return this.parts.archiveBook;
  }

  /** What is to be erased, and has been. */
  get erasures(): ErasureBook {
    return this.parts.erasures;
  }

  /** One at a time: what brings a chunk away, and what writes it anew. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    return await this.chunkWork.run(work);
  }

  /** Seals what there is of the hours of an erasure: only chunks are erased from. */
  async sealFor(erasure: Erasure): Promise<void> {
    await this.flush();
    await this.mutex.run(() => this.openFiles.clear());
    await this.seal((hours) => hoursToErase(hours, erasure));
  }

  /** What writes chunks anew, one after the other; its process begins with the first. */
  chunkWriter(): Sealer {
    return this.sealContext.newSealer();
  }

  /** Writes a chunk anew without some rows; null: it has left the store meanwhile. */
  async eraseRows(writer: Sealer, erased: ChunkErasure): Promise<StoredFile | null> {
    return await eraseChunk(this.parts, writer, erased);
  }

  /** Seals every hour that has parts. */
  async sealAll(): Promise<StoredFile[]> {
    return await this.seal((hours) => [...hours]);
  }

  /** Seals the hours that are ripe. `caughtUp`: the log files have been read to their ends. */
  async sealRipe(caughtUp: boolean): Promise<StoredFile[]> {
    const ripe = (hours: readonly WaitingHour[]) => {
      const { openedMs, clock, parts: { options: { sealAfterMs } } } = this;
      const moment = { nowMs: clock(), openedMs, sealAfterMs, caughtUp };
      return hours.filter((hour) => isRipe(hour, moment));
    };
    if (ripe(this.waitingHours()).length > 0) await this.flush(); // rows in memory may be of these hours
    return await this.seal(ripe);
  }

  tables(): Table[] {
    const { options: { streams }, memory } = this.parts;
    return tablesOf(streams, (stream) => memory.shape(stream));
  }

  goneUntil(): string | null {
    return this.holdings.goneUntil();
  }

  shape(stream: string): StreamShape {
    return this.parts.memory.shape(stream);
  }

  async snapshot(request: SnapshotRequest): Promise<Snapshot> {
    const asked = request.tables.flatMap((name) =>
      this.parts.catalog.files(name, microseconds(request))
    );
    await this.keeper.verify(asked);
    return await this.mutex.run(async () => {
      const { database, catalog, memory, options: { dataDir } } = this.parts;
      if (request.durable === true) await this.flushNow();
      const made = await this.makeTables(request);
      const copies = new Map<string, OpenFile | null>();
      const copied = request.committed === true ? [] : request.tables;
      for (const name of copied) copies.set(name, await this.openFiles.copyOf(name));
      // From here to the lease nothing may be awaited: sealing deletes parts at any other moment.
      const tables = new Map(request.tables.map((name) => {
        const table = filesOf({ catalog, dataDir, name, range: request });
        const open = copies.get(name) ?? null;
        if (open === null) return [name, table];
        return [name, {
          ...table,
          shape: memory.shape(name),
          files: [...table.files, open.path],
          rows: table.rows + memory.rowCount(name),
          bytes: table.bytes + open.bytes,
        }];
      }));
      for (const [name, table] of made) tables.set(name, table);
      const release = this.parts.leases.take(filesOfTables(tables));
      for (const path of filesOfTables(made)) await this.parts.leases.remove(path); // with this lease
      const { rows } = filesOf({ catalog, dataDir, name: REJECTS, range: request });
      const rejects = rows + memory.rowCount(REJECTS);
      const gaps = gapTotal(catalog.gaps(request, this.unflushed.gaps));
      const lost = lostIn(database, request.tables, microseconds(request));
      return snapshotOf({ tables, rejects, gaps, lost }, release);
    });
  }

  /** Accounts: of what is durable, and of what waits in memory. */
  private async makeTables(request: SnapshotRequest): Promise<Map<string, SnapshotTable>> {
    const { unflushed, parts: { catalog, database, options: { dataDir, host } } } = this;
    return await makeTables(request.tables, join(dataDir, "open"), {
      [ACCOUNTING]: (path) =>
        writeAccountFile(path, {
          host,
          counts: [...catalog.counts(hoursOf(request)), ...unflushed.tally.entries()],
          generations: [...unflushed.generations.values()],
          gaps: catalog.gaps({ since: null, until: null }, unflushed.gaps),
        }),
      [QUERY_LOG]: (path) => writeQueryLogFile(path, { host, entries: readQueryLog(database) }),
    });
  }

  /** Says whether this request is remembered. */
  knowsRequest(id: string): boolean {
    return this.parts.catalog.knowsRequest(id);
  }

  /** Remembers a request id, durably, until it expires; a query is noted in the query log too. */
  rememberRequest(id: string, expiresAtMs: number, query?: AskedQuery): void {
    const { catalog, queryLog } = this.parts;
    catalog.rememberRequest(id, expiresAtMs, this.clock(), () => {
      if (query !== undefined) queryLog.begin(query);
    });
  }

  /** Notes in the query log what no answer comes of. */
  beginLogged(query: AskedQuery): void {
    this.parts.queryLog.begin(query);
  }

  /** Notes what came of a query. */
  endQuery(id: string, outcome: QueryOutcome): void {
    this.parts.queryLog.end(id, outcome);
  }

  /** Whether this SQL had to be killed a while ago; null: it did not. */
  denialOf(sql: string): Denial | null {
    return denialOf(this.parts.database, sha256Hex(sql), this.clock());
  }

  /** Notes that this SQL had to be killed. */
  deny(sql: string, reason: string): void {
    deny(this.parts.database, { sha256: sha256Hex(sql), reason, nowMs: this.clock() });
  }

  stats(): StoreStats {
    const { catalog, memory } = this.parts;
    return {
      rejects: catalog.totals(REJECTS).rows + memory.rowCount(REJECTS),
      storedBytes: catalog.totals().bytes,
      open: this.holdings.open(),
    };
  }

  totals(): StoreTotals {
    return readTotals(this.parts.database);
  }

  condition(): StoreCondition {
    const { broken, writeError, flushTriedMs, parts: { memory } } = this;
    const flushStoodMs = performance.now() - flushTriedMs;
    const paused = this.parts.quota?.reason ?? null;
    return { broken, writeError, paused, flushStoodMs, waitingRows: memory.rows };
  }

  /** Flushes, then closes. Rows that cannot be written are read again after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { lock, database, memory } = this.parts;
    try {
      await this.flush();
    } finally {
      await this.openFiles[Symbol.asyncDispose]();
      await memory[Symbol.asyncDispose]();
      database.close();
      lock[Symbol.dispose]();
    }
  }

  /** Hours with parts, but for those that a recorded sealing holds already. */
  private waitingHours(): WaitingHour[] {
    const { catalog } = this.parts;
    const taken = new Set(catalog.sealings().flatMap(({ parts }) => parts));
    return waitingHours(catalog.allFiles().filter(({ id }) => !taken.has(id)));
  }

  /** One at a time: what is sealed on the clock, and for an erasure. Whoever waited looks again. */
  private async seal(
    which: (hours: readonly WaitingHour[]) => WaitingHour[],
  ): Promise<StoredFile[]> {
    return await this.sealing.run(async () => {
      const { sealed, failures } = await sealHours(this.sealContext, which(this.waitingHours()));
      this.keeper.verifier.trust(sealed);
      if (failures.length > 0) throw failures[0];
      return sealed;
    });
  }

  private addToMemory({ stream, path }: Generation, batch: Batch) {
    const { memory, options: { watcher } } = this.parts;
    try {
      memory.add(stream, path, batch);
    } catch (error) {
      this.broken = true; // half of a batch may be in memory: it must never become durable
      throw error;
    }
    watcher?.added(stream, batch, memory.shape(stream));
  }

  private async flushNow() {
    const { memory, options: { observer } } = this.parts;
    if (this.broken) throw new LogvendError("internal", "A batch could not be kept in memory");
    const { rows } = memory;
    const startedMs = performance.now();
    let written: StoredFile[];
    try {
      written = await this.unflushed.flush(this.clock);
    } catch (error) {
      this.writeError = messageOf(error);
      observer?.failed("flush");
      throw error;
    }
    this.writeError = null;
    if (rows > 0) observer?.flushed((performance.now() - startedMs) / 1_000);
    this.keeper.verifier.trust(written);
  }

  /** Back-pressure: while memory is full and the disk refuses, whoever appends waits here. */
  private async flushWhileFull() {
    const { memory, options: { signal, limits: { rowsMax, lineBytesMax } = DEFAULT_LIMITS } } =
      this.parts;
    const isFull = () => memory.load >= rowsMax || memory.lineBytes >= lineBytesMax;
    for (let tries = 0; isFull(); tries++) {
      try {
        await this.flush();
      } catch (error) {
        if (signal.aborted || this.broken) throw error;
        if (tries === 0) {
          this.log.error("Cannot write parts, reading pauses until it works: {error}", {
            error: messageOf(error),
          });
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS)); // queries go on meanwhile
      }
    }
  }

  private get sealContext(): SealContext {
    const { catalog, leases, keeper, options: { limits = DEFAULT_LIMITS, ...options } } =
      this.parts;
    const { dataDir, host, region, observer, signal, isBulk = false } = options;
    const { clock, archiveBook: { formerLines: { mark } } } = this;
    const newSealer = () =>
      isBulk ? new ChunkWriter(signal) : new SealProcess({ dataDir, nice: limits.nice, signal });
    const damaged = (parts: readonly StoredFile[]) => keeper.quarantine(parts, "corrupt");
    return { catalog, leases, dataDir, host, region, mark, clock, observer, damaged, newSealer };
  }
}
