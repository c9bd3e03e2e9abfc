/** Keeps the files on the disk true: verified before use and by the week, set aside, retired. */
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import { counted, formatBytes } from "../../../protocol/units.ts";
import type { Catalog, StoredFile } from "../database/catalog.ts";
import type { Leases } from "./leases.ts";
import { chunksHere, lendChunks } from "./lend_chunks.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Reserve } from "../database/reserve.ts";
import {
  filesBeside,
  finishRemoval,
  markRemoved,
  nameAside,
  retiredChunks,
  unfinishedRemovals,
} from "../database/removed.ts";
import type { RemovalReason, RemovedFile } from "../database/removed.ts";
import { renewChunk } from "./renew_chunk.ts";
import { expiredChunks, oldestChunks } from "./retain.ts";
import type { Retention } from "./retain.ts";
import { Verifier } from "./verify.ts";
import type { Slowly } from "./verify.ts";

/** Between two blocks of 1 MiB while scrubbing: at most 100 MB/s, and others come between. */
const SCRUB_PAUSE_MS = 10;

/** Where damaged files lie, in the data folder. */
export const QUARANTINE = "quarantine";

/** What a keeper works on. */
export interface KeeperOptions {
  database: DatabaseSync;
  catalog: Catalog;
  dataDir: string;
  leases: Leases;
  /** For removals on a full disk. */
  reserve: Reserve;
  /** Chunks that the archive does not have stay, whatever retention and quota say. */
  onlyArchived: boolean;
  clock: () => number;
}

export class Keeper {
  readonly verifier: Verifier;
  private readonly log = getLogger(["agent", "keeper"]);

  constructor(private readonly options: KeeperOptions) {
    this.verifier = new Verifier({ ...options, readOnly: false });
  }

  /** Hashes those of the files that have changed, and takes out what is not what was written. */
  async verify(files: readonly StoredFile[]): Promise<void> {
    const changed = this.verifier.changed(files);
    if (changed.length === 0) return;
    const release = this.options.leases.take(changed.map((file) => this.pathOf(file)));
    try {
      for (const file of changed) await this.checkOne(file);
    } finally {
      await release();
    }
  }

  /** Hashes a file whatever it looks like; null: it is not what was written, and is set aside. */
  async verifyNow({ id }: StoredFile): Promise<StoredFile | null> {
    const { catalog } = this.options;
    const file = catalog.file(id);
    if (file === undefined) return null;
    const release = this.options.leases.take([this.pathOf(file)]);
    try {
      await this.checkOne(file);
    } finally {
      await release();
    }
    return catalog.file(id) ?? null;
  }

  /** Gives a chunk, verified just now, an id of its own; null: it has left the store meanwhile. */
  async renew(chunk: StoredFile & { sha256: string }): Promise<StoredFile | null> {
    const renewed = await renewChunk(this.options, chunk);
    if (renewed !== null) this.verifier.trust([renewed]);
    return renewed;
  }

  /** Chunks that left for age or room, and the hours that they are of. */
  retired(tables: readonly string[], range: { sinceUs: number; untilUs: number }) {
    return retiredChunks(this.options.database, tables, range);
  }

  /** Lends those of these sealed chunks that are here, by their paths in the data folder. */
  async lend(tables: readonly string[], paths: readonly string[]): Promise<Snapshot> {
    const { catalog } = this.options;
    await this.verify(chunksHere(catalog, paths));
    return lendChunks({ ...this.options, tables, paths });
  }

  /** Verifies the file that was verified longest ago, if that is `everyMs` ago; takes its time. */
  async scrub(everyMs: number, signal: AbortSignal): Promise<void> {
    const { catalog, clock } = this.options;
    const id = this.verifier.oldest(clock() - everyMs);
    const file = id === null ? undefined : catalog.file(id);
    if (file !== undefined) await this.checkOne(file, { pauseMs: SCRUB_PAUSE_MS, signal });
  }

  /** Takes damaged files out of the store and sets them aside; says so once. */
  async quarantine(files: readonly StoredFile[], reason: "corrupt" | "missing"): Promise<void> {
    const out = new Set(this.mark(files.map(({ id }) => id), reason));
    const erased = new Set(
      unfinishedRemovals(this.options.database).filter((one) => one.isErased).map(({ id }) => id),
    );
    for (const file of files.filter(({ id }) => out.has(id))) {
      const { id, path, rows, stream, hour } = file;
      const from = `${counted(rows, "row")} of ${stream} ${hour} are lost`;
      if (reason === "missing") this.log.warn("{path} is missing: {from}", { path, from });
      else if (erased.has(id)) {
        this.log.warn(
          "{path} is damaged, and may hold rows that are erased: it is deleted; {from}",
          { path, from },
        );
      } else {
        this.log.warn("{path} is damaged and set aside in {folder}: {from}", {
          path,
          from,
          folder: join(this.options.dataDir, QUARANTINE),
        });
      }
    }
    await this.finishRemovals();
  }

  /** Removes the chunks that are older or more than may stay, and what could not go before. */
  async retire(retention: Retention): Promise<void> {
    const { database, reserve, onlyArchived, clock } = this.options;
    const expired = expiredChunks(database, retention, { nowMs: clock(), onlyArchived });
    this.remove(await retention.confirm?.(expired) ?? expired, "retention");
    await this.finishRemovals();
    reserve.fill();
  }

  /** Removes the oldest chunks, so many bytes of them. False: there is none left to remove. */
  async dropOldest(bytes: number): Promise<boolean> {
    const { database, onlyArchived } = this.options;
    const ids = oldestChunks(database, bytes, onlyArchived);
    this.remove(ids, "quota");
    await this.finishRemovals();
    return ids.length > 0;
  }

  /**
   * Deletes what was set aside of a stream and its rejects and may hold rows of a range: damaged as it
   * is, nobody can tell which. Microseconds, half-open.
   */
  async eraseSetAside(streams: readonly string[], sinceUs: number, untilUs: number): Promise<void> {
    const { database, dataDir } = this.options;
    const others = new Set(filesBeside(database, { streams, sinceUs, untilUs }));
    const folder = join(dataDir, QUARANTINE);
    for (const name of await namesIn(folder)) {
      if (others.has(name)) continue;
      await Deno.remove(join(folder, name));
      this.log.warn("{name} was set aside as damaged: it is erased as a whole", { name });
    }
  }

  /** Deletes or sets aside what agent.db says is out: also what a kill has left of it. */
  async finishRemovals(): Promise<void> {
    for (const file of unfinishedRemovals(this.options.database)) await this.finish(file);
  }

  private async checkOne(file: StoredFile, slowly?: Slowly) {
    const damage = await this.verifier.check(file, slowly);
    if (damage !== null) await this.quarantine([file], damage);
  }

  private remove(ids: readonly string[], reason: RemovalReason) {
    if (ids.length === 0) return;
    const { catalog } = this.options;
    const files = ids.flatMap((id) => catalog.file(id) ?? []);
    const bytes = formatBytes(files.reduce((sum, file) => sum + file.bytes, 0));
    const chunks = counted(files.length, "chunk");
    const until = files.map(({ hour }) => hour).sort().at(-1);
    this.mark(ids, reason);
    const what = reason === "quota" ? "The quota has removed" : "Retention has removed";
    this.log.info(`${what} {chunks} of up to {until}: {bytes}`, { chunks, until, bytes });
  }

  private mark(ids: readonly string[], reason: RemovalReason): string[] {
    const { database, reserve, clock } = this.options;
    return reserve.spend(() => markRemoved(database, ids, { reason, nowMs: clock() }));
  }

  private async finish({ id, path, reason, isErased }: RemovedFile) {
    const { database, dataDir, leases, reserve } = this.options;
    const absolute = join(dataDir, path);
    const isSetAside = (reason === "corrupt" || reason === "unfinished") && !isErased;
    if (isSetAside) await setAside(dataDir, { id, path });
    else await leases.remove(absolute);
    if (await isThere(absolute)) return; // a query reads it: the next look finds it gone
    reserve.spend(() => finishRemoval(database, id));
    await removeEmptyFolders(dataDir, dirname(absolute));
  }

  private pathOf({ path }: StoredFile): string {
    return join(this.options.dataDir, path);
  }
}

async function setAside(dataDir: string, file: Pick<RemovedFile, "id" | "path">) {
  const folder = join(dataDir, QUARANTINE);
  await Deno.mkdir(folder, { recursive: true });
  try {
    await Deno.rename(join(dataDir, file.path), join(folder, nameAside(file)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Deletes the folders of an hour, a date, … that have become empty. */
async function removeEmptyFolders(dataDir: string, folder: string) {
  for (let at = folder; at.startsWith(join(dataDir, "stream=")); at = dirname(at)) {
    try {
      await Deno.remove(at);
    } catch {
      return; // not empty, or in use: it stays
    }
  }
}
