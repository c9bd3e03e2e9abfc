/** Looks into an agent's data folder from outside: what agent.db says, and what lies on the disk. */
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { HOST, REGION } from "./agent_process.ts";

const TEMPORARY = ".writing-";

export interface NamedFile {
  id: string;
  kind: "part" | "chunk";
  stream: string;
  hour: string;
  /** Relative to the data folder. */
  path: string;
  rows: number;
  bytes: number;
  tsMinUs: number;
  tsMaxUs: number;
  createdMs: number;
}

export interface Sealing {
  chunk: string;
  stream: string;
  hour: string;
  /** Where the chunk will be, relative to the data folder. */
  path: string;
  /** Ids of the parts that it will be made of. */
  parts: readonly string[];
}

/** A file that is out of the store, as agent.db has it. */
export interface RemovedFile {
  /** Relative to the data folder. */
  path: string;
  rows: number;
  reason: string;
  /** It may still lie there. */
  isOnDisk: boolean;
}

/** What agent.db says at one moment. */
export interface Commits {
  files: NamedFile[];
  removed: RemovedFile[];
  sealings: Sealing[];
  /** Durable offset by generation. */
  offsets: Map<string, number>;
  /** Where generations were last seen. */
  paths: Map<string, string>;
  /** Lines up to those offsets. */
  lines: number;
  /** Bytes counted as lost unread. */
  gapBytes: number;
}

const NO_COMMITS: Commits = {
  files: [],
  removed: [],
  sealings: [],
  offsets: new Map(),
  paths: new Map(),
  lines: 0,
  gapBytes: 0,
};

/** Reads agent.db, which nobody may be writing. */
export async function readCommits(dataDir: string): Promise<Commits> {
  const folder = await Deno.makeTempDir({ prefix: "logvend-test-" });
  try {
    const copy = join(folder, "agent.db");
    if (sizeOf(join(dataDir, "agent.db")) === null) return NO_COMMITS;
    await Deno.copyFile(join(dataDir, "agent.db"), copy);
    try {
      await Deno.copyFile(join(dataDir, "agent.db-wal"), `${copy}-wal`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it was closed in peace
    }
    using database = openDatabase(copy, false);
    return commitsOf(database.database);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads agent.db beside the agent that writes it; null when it is not there or not ready. */
export function readLiveCommits(dataDir: string): Commits | null {
  try {
    using database = openDatabase(join(dataDir, "agent.db"), true);
    return commitsOf(database.database);
  } catch {
    return null; // an agent that starts makes or recovers it just now
  }
}

/** Everything of the folder at a moment at which no agent writes. */
export interface FolderState extends Commits {
  /** Files in parts/ and in the folders of chunks being sealed, relative to the data folder. */
  temporaries: string[];
  /** Parts and chunks under their final names that agent.db does not name. */
  unnamed: string[];
  /** Files that agent.db says are out, and that are there. */
  retired: string[];
  /** Files that agent.db names and that are not there with that size. */
  missing: string[];
  takenAtMs: number;
}

/** @throws when agent.db cannot be read */
export async function readFolder(dataDir: string): Promise<FolderState> {
  const takenAtMs = Date.now();
  const commits = await readCommits(dataDir);
  const out = commits.removed.filter(({ isOnDisk }) => isOnDisk).map(({ path }) => path);
  const known = new Set([...commits.files.map(({ path }) => path), ...out]);
  const places = new Set(commits.sealings.map(({ path }) => join(path, "..")));
  const there = [
    ...filesBelow(dataDir, "parts"),
    ...[...places].flatMap((place) => [
      ...filesBelow(dataDir, place),
    ]),
  ];
  return {
    ...commits,
    takenAtMs,
    temporaries: there.filter(isTemporary),
    unnamed: there.filter((path) => !isTemporary(path) && !known.has(path)),
    retired: out.filter((path) => sizeOf(join(dataDir, path)) !== null),
    missing: commits.files.filter(({ path, bytes }) => sizeOf(join(dataDir, path)) !== bytes)
      .map(({ path }) => path),
  };
}

/** Rows that retention has removed. */
export function retiredRows({ removed }: Commits): number {
  return removed.filter(({ reason }) => reason === "retention")
    .reduce((sum, { rows }) => sum + rows, 0);
}

/** Parquet files that agent.db does not name, wherever they lie in a folder at rest. */
export async function strays(dataDir: string): Promise<string[]> {
  const named = new Set((await readCommits(dataDir)).files.map(({ path }) => path));
  return [...filesBelow(dataDir, ".")]
    .filter((path) => path.endsWith(".parquet") && !named.has(path));
}

/** Whether a file is one that is being written. */
export function isTemporary(path: string): boolean {
  return basename(path).startsWith(TEMPORARY);
}

/** Files below a folder, relative to the data folder. */
export function* filesBelow(dataDir: string, folder: string): Generator<string> {
  try {
    for (const entry of Deno.readDirSync(join(dataDir, folder))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) yield* filesBelow(dataDir, path);
      else yield path;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A file's size; null when there is none. */
export function sizeOf(path: string): number | null {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function openDatabase(path: string, readOnly: boolean): Disposable & { database: DatabaseSync } {
  const database = new DatabaseSync(path, { readOnly });
  return { database, [Symbol.dispose]: () => database.close() };
}

function commitsOf(database: DatabaseSync): Commits {
  if (!hasTable(database, "generations")) return NO_COMMITS; // it had just been made
  const all = (sql: string) => database.prepare(sql).all();
  const generations = all("SELECT id, path, durable_offset, lines FROM generations");
  return {
    files: all("SELECT * FROM files ORDER BY created_ms, rowid").map((row) => ({
      id: String(row.id),
      kind: row.kind === "chunk" ? "chunk" : "part",
      stream: String(row.stream),
      hour: String(row.hour),
      path: String(row.path),
      rows: Number(row.rows),
      bytes: Number(row.bytes),
      tsMinUs: Number(row.ts_min_us),
      tsMaxUs: Number(row.ts_max_us),
      createdMs: Number(row.created_ms),
    })),
    removed: hasTable(database, "removed")
      ? all("SELECT path, rows, reason, on_disk FROM removed").map((row) => ({
        path: String(row.path),
        rows: Number(row.rows),
        reason: String(row.reason),
        isOnDisk: row.on_disk === 1,
      }))
      : [],
    sealings: all("SELECT chunk, stream, hour, parts FROM sealings").map((row) => {
      const [chunk, stream, hour] = [String(row.chunk), String(row.stream), String(row.hour)];
      const path = chunkPath({ stream, hour, chunk, host: HOST, region: REGION });
      return { chunk, stream, hour, path, parts: JSON.parse(String(row.parts)) };
    }),
    offsets: new Map(generations.map((row) => [String(row.id), Number(row.durable_offset)])),
    paths: new Map(generations.map((row) => [String(row.id), String(row.path)])),
    lines: generations.reduce((sum, row) => sum + Number(row.lines), 0),
    gapBytes: hasTable(database, "gaps")
      ? Number(all("SELECT coalesce(sum(bytes), 0) AS bytes FROM gaps")[0]?.bytes)
      : 0,
  };
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(name) !== undefined;
}
