/** Opens what a store is made of: the lock, agent.db, what a crash left behind, memory. */
import type { DatabaseSync } from "node:sqlite";
import { QueryLog } from "../query_log/query_log.ts";
import { ArchiveBook } from "./database/archive_book.ts";
import { Catalog } from "./database/catalog.ts";
import { openSoundDatabase } from "./database/database.ts";
import { ErasureBook } from "./database/erasures.ts";
import { Keeper } from "./files/keeper.ts";
import { Leases } from "./files/leases.ts";
import { lockDataDir } from "./files/lock.ts";
import { MemoryRows } from "./rows/memory_rows.ts";
import { otherBytes, Quota } from "./files/quota.ts";
import { recover } from "./recovery/recover.ts";
import { Reserve } from "./database/reserve.ts";
import { storedBytes } from "./files/retain.ts";
import { shapesOf } from "./store_options.ts";
import type { StoreOptions } from "./store_options.ts";
import { WindowBook } from "./database/touched.ts";

/** The store's own, to be closed by it. */
export interface StoreParts {
  options: StoreOptions;
  lock: Disposable;
  database: DatabaseSync;
  catalog: Catalog;
  queryLog: QueryLog;
  windowBook: WindowBook;
  leases: Leases;
  keeper: Keeper;
  archiveBook: ArchiveBook;
  erasures: ErasureBook;
  memory: MemoryRows;
  /** Null: the folder may grow. */
  quota: Quota | null;
}

/** Opens a data folder, which nobody else may be writing, and mends it. */
export async function openParts(options: StoreOptions): Promise<StoreParts> {
  const lock = await lockDataDir(options.dataDir);
  try {
    const { dataDir, clock = Date.now } = options;
    const reserve = new Reserve(dataDir);
    reserve.release(); // agent.db cannot be opened without some room
    const sound = await openSoundDatabase(dataDir);
    reserve.fill();
    const { database } = sound;
    const catalog = new Catalog(database, options.windowed);
    const leases = new Leases();
    const { keepsUnarchived: onlyArchived = false } = options;
    const keeper = new Keeper({
      database,
      catalog,
      dataDir,
      leases,
      reserve,
      onlyArchived,
      clock,
    });
    const archiveBook = new ArchiveBook({ database, catalog, reserve, clock });
    const { windowed = new Set() } = options;
    const erasures = new ErasureBook({ database, catalog, windowed, reserve, clock });
    await recover({ dataDir, sound, catalog, keeper, nowMs: clock() });
    const queryLog = new QueryLog(database);
    const windowBook = new WindowBook(database);
    const { host, isBulk } = options;
    const memory = await MemoryRows.open(host, shapesOf(options, catalog), isBulk);
    const quota = quotaOf(options, database, keeper);
    await quota?.check(); // a start takes no more than a flush would
    const kept = { database, catalog, queryLog, windowBook, archiveBook, erasures };
    return { options, lock, ...kept, leases, keeper, memory, quota };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

function quotaOf(
  { quota: policy, dataDir }: StoreOptions,
  database: DatabaseSync,
  keeper: Keeper,
): Quota | null {
  if (policy === undefined) return null;
  return new Quota({
    policy,
    usedBytes: () => storedBytes(database) + otherBytes(dataDir),
    dropOldest: (bytes) => keeper.dropOldest(bytes),
  });
}
