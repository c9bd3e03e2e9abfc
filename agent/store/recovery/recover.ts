/** What a start does after any kind of end: leftovers go, and agent.db catches up with its files. */
import { basename, join, relative } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import { counted } from "../../../protocol/units.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { adoptionOf, storedFile } from "./adoption.ts";
import type { Catalog } from "../database/catalog.ts";
import type { SoundDatabase } from "../database/database.ts";
import { isTemporary, removeIfThere } from "../../../protocol/durable_file.ts";
import { readFound } from "../files/found_files.ts";
import type { Found } from "../files/found_files.ts";
import type { Keeper } from "../files/keeper.ts";
import { reconcile } from "./reconcile.ts";
import type { Reconciled } from "./reconcile.ts";
import { removeSpareFolder } from "../files/spare_folder.ts";
import { bringBack, missingFiles, noteSetAside } from "../database/removed.ts";

/** Folders of the data folder that hold Parquet files. `open` holds copies for queries only. */
const FOLDERS = { parts: "parts", open: "open", chunkPrefix: "stream=" };

export interface RecoverOptions {
  dataDir: string;
  sound: SoundDatabase;
  catalog: Catalog;
  keeper: Keeper;
  nowMs: number;
}

/**
 * Deletes leftovers of writes that were never committed, and takes in what agent.db does not know
 * (reconcile.ts has the rules).
 * @throws {LogvendError} unavailable, when a file was written by a newer version
 */
export async function recover(options: RecoverOptions): Promise<void> {
  const { dataDir, sound: { database }, catalog, keeper } = options;
  await keeper.finishRemovals();
  await removeSpareFolder(dataDir);
  const present = await filesThere(dataDir);
  comeBack(database, present);
  const named = catalog.allFiles();
  const names = new Set(named.map(({ path }) => path));
  const unnamed = [...present].filter((path) => !names.has(path));
  const found = await readAll(dataDir, unnamed);
  const decided = reconcile(found.whole, {
    files: named,
    present,
    offsets: new Map(catalog.generations().map(({ id, offset }) => [id, offset])),
    isNew: options.sound.isNew,
  });
  if (decided.adopted.length > 0) {
    catalog.commitAdoption({ ...adoptionOf(decided, catalog), shapes: found.shapes });
  }
  noteSetAside(database, decided.doubtful.map(storedFile), { ...options, reason: "unfinished" });
  noteSetAside(database, found.unreadable, { ...options, reason: "corrupt" });
  await keeper.finishRemovals();
  const needless = [...decided.redundant, ...decided.replaced];
  for (const { path } of needless) await removeIfThere(join(dataDir, path));
  report(options, decided, found);
  const gone = catalog.allFiles().filter(({ path }) => !present.has(path));
  await keeper.quarantine(gone, "missing");
}

/** Parts and chunks on the disk, relative to the data folder; everything else there is deleted. */
async function filesThere(dataDir: string): Promise<Set<string>> {
  const there = new Set<string>();
  for await (const { name, isDirectory } of Deno.readDir(dataDir)) {
    const isOpen = name === FOLDERS.open;
    const isOurs = isOpen || name === FOLDERS.parts || name.startsWith(FOLDERS.chunkPrefix);
    if (!isDirectory || !isOurs) continue;
    for await (const path of filesBelow(join(dataDir, name))) {
      if (isOpen || isTemporary(path)) await removeIfThere(path);
      else there.add(relative(dataDir, path));
    }
  }
  return there;
}

/** Files that were missing once may be there again: a disk was not mounted. */
function comeBack(database: DatabaseSync, present: ReadonlySet<string>) {
  const back = [...missingFiles(database)].filter(([path]) => present.has(path));
  bringBack(database, back.map(([, id]) => id));
  if (back.length === 0) return;
  getLogger(["agent", "store"]).info("{files} that were missing are there again", {
    files: counted(back.length, "file"),
  });
}

async function readAll(dataDir: string, paths: readonly string[]): Promise<Found> {
  const found: Found = { whole: [], shapes: new Map(), unreadable: [] };
  if (paths.length === 0) return found;
  await using engine = await Engine.open();
  for (const path of paths) await readFound(engine, { dataDir, path, found });
  return found;
}

/** Says once what was found. */
function report({ sound }: RecoverOptions, decided: Reconciled, { unreadable }: Found) {
  const log = getLogger(["agent", "store"]);
  const { adopted, redundant, doubtful } = decided;
  const rows = counted(adopted.reduce((sum, { metadata }) => sum + metadata.rows, 0), "row");
  const files = counted(adopted.length, "file");
  if (sound.isNew && adopted.length > 0) {
    log.warn(
      "agent.db {what}: made anew from {files} with {rows}; what was counted of sealed hours is lost",
      {
        what: sound.damaged === null
          ? "was gone"
          : `was damaged (${sound.damaged.reason}) and is now ${basename(sound.damaged.path)}`,
        files,
        rows,
      },
    );
  } else if (sound.damaged !== null) {
    const { reason, path } = sound.damaged;
    log.warn("agent.db was damaged ({reason}) and is now {path}", { reason, path: basename(path) });
  } else if (adopted.length > 0) {
    log.warn("agent.db is older than the files beside it: took in {files} with {rows}", {
      files,
      rows,
    });
  }
  if (redundant.length > 0) {
    log.info("Removed {files} of unfinished writes", { files: counted(redundant.length, "file") });
  }
  const aside = doubtful.length + unreadable.length;
  if (aside > 0) {
    log.warn(
      "{files} that cannot be used are set aside: {damaged} damaged, {unfinished} of a write that did not end",
      {
        files: counted(aside, "file"),
        damaged: unreadable.length,
        unfinished: doubtful.length,
      },
    );
  }
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* filesBelow(path);
    else yield path;
  }
}
