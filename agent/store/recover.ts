/** What a start does after any kind of end: leftovers go, and agent.db catches up with its files. */
import { basename, join, relative } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import { total } from "../account/report.ts";
import type { Count } from "../account/tally.ts";
import { counted } from "../../protocol/units.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { Adoption, Catalog, StoredFile } from "./catalog.ts";
import type { SoundDatabase } from "./database.ts";
import { isTemporary, removeIfThere } from "./durable_file.ts";
import { readFound } from "./found_files.ts";
import type { Found } from "./found_files.ts";
import type { Keeper } from "./keeper.ts";
import { reconcile } from "./reconcile.ts";
import type { FoundFile, Reconciled } from "./reconcile.ts";
import { removeSpareFolder } from "./spare_folder.ts";
import { bringBack, missingFiles, noteSetAside } from "./removed.ts";

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
  if (decided.adopted.length > 0) catalog.commitAdoption(adoption(decided, catalog));
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
  const found: Found = { whole: [], unreadable: [] };
  if (paths.length === 0) return found;
  await using engine = await Engine.open();
  for (const path of paths) await readFound(engine, { dataDir, path, found });
  return found;
}

function adoption({ adopted, replaced }: Reconciled, catalog: Catalog): Adoption {
  const { accounts, uncounted } = accountsOf(adopted);
  const counts = accounts.flatMap((account) => account.counts);
  return {
    adopted: adopted.map(storedFile),
    replaced,
    generations: newerGenerations(adopted, catalog, counts),
    counts: [...counts, ...uncountedRows(uncounted.map(storedFile), replaced)],
    gaps: accounts.flatMap(({ gaps }) => gaps),
  };
}

type Account = NonNullable<FoundFile["metadata"]["account"]>;

/**
 * What whole flushes counted, and the files of which nobody knows any more whose their rows are:
 * chunks, and parts of whose fellows some are sealed.
 */
function accountsOf(
  adopted: readonly FoundFile[],
): { accounts: Account[]; uncounted: FoundFile[] } {
  const flushes = [...Map.groupBy(adopted, ({ metadata }) => metadata.flush?.id ?? null).values()];
  const accounts: Account[] = [];
  const uncounted: FoundFile[] = [];
  for (const files of flushes) {
    const account = files.map(({ metadata }) => metadata.account).find((one) => one !== null);
    const isWhole = files.length === files[0]?.metadata.flush?.parts;
    if (account !== undefined && isWhole) accounts.push(account);
    else uncounted.push(...files);
  }
  return { accounts, uncounted };
}

/** The newest facts of each generation, where they are newer than agent.db's. */
function newerGenerations(
  adopted: readonly FoundFile[],
  catalog: Catalog,
  counts: readonly Count[],
): Adoption["generations"] {
  const known = new Map(catalog.generations().map((generation) => [generation.id, generation]));
  const facts = adopted.flatMap(({ metadata }) => metadata.generations);
  const inputs = new Map(
    facts.flatMap(({ id, inputPath }) => inputPath === null ? [] : [[id, inputPath]]),
  );
  const newest = new Map(
    facts.toSorted((a, b) => a.offset - b.offset).map((generation) => [generation.id, generation]),
  );
  const countsOf = Map.groupBy(counts, ({ generation }) => generation);
  return [...newest.values()]
    .filter(({ id, offset }) => offset > (known.get(id)?.offset ?? -1))
    .map(({ inputPath: _, ...generation }) => {
      const { id, path, offset } = generation;
      const { offset: before = 0, lines = 0 } = known.get(id) ?? {};
      const added = total(countsOf.get(id) ?? []);
      return {
        generation: { ...generation, lines: lines + added.lines },
        inputPath: inputs.get(id) ?? path,
        uncountedBytes: offset - before - added.bytes,
      };
    });
}

/** Rows of which nobody knows any more whose they are. */
function uncountedRows(adopted: readonly StoredFile[], replaced: readonly StoredFile[]): Count[] {
  const signed = [
    ...adopted,
    ...replaced.map((file) => ({ ...file, rows: -file.rows })),
  ];
  return [...Map.groupBy(signed, ({ stream, hour }) => `${stream}/${hour}`).values()]
    .flatMap(([first, ...others]) =>
      first === undefined ? [] : [{
        stream: first.stream,
        hour: first.hour,
        generation: "",
        outcome: "uncounted",
        reason: "",
        lines: others.reduce((sum, { rows }) => sum + rows, first.rows),
        bytes: 0,
      }]
    );
}

function storedFile({ metadata, path, bytes }: FoundFile): StoredFile {
  const { schema_version: _, flush: __, generations: ___, account: ____, ...facts } = metadata;
  return { ...facts, path, bytes, sha256: null };
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
