import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dirname, join, relative } from "node:path";
import { expiredChunks } from "../../../../../agent/store/files/retain.ts";
import { databasePath } from "../../../../../agent/store/database/database.ts";
import { openStoredFiles } from "../../../../../agent/store/files/stored_files.ts";
import { removedTotals } from "../../../../../agent/store/database/removed.ts";
import {
  batch,
  COUNT,
  folder,
  GENERATION,
  HOUR_MS,
  open,
  parquetFiles,
  read,
  START_MS,
} from "../scene.ts";

const EVERYTHING = { tables: ["logs"], since: null, until: null };

/** A folder with one sealed hour of two rows after the other. */
async function sealedHours(path: string, hours: number, clock = () => START_MS + hours * HOUR_MS) {
  const store = await open(path, clock);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 2 * hours, (line) => START_MS + Math.floor(line / 2) * HOUR_MS));
  await store.sealAll();
  await store.flush();
  await store.sealAll();
  return store;
}

async function flipBit(path: string, at = 50) {
  const bytes = await Deno.readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  await Deno.writeFile(path, bytes);
}

Deno.test("a damaged or missing file is left out of answers, which say so, and set aside once", async () => {
  await using data = await folder();
  {
    await using store = await sealedHours(data.path, 4);
    const [corrupt = "", missing = ""] = (await parquetFiles(data.path)).toSorted();
    await flipBit(corrupt);
    await Deno.remove(missing);
    assert.deepEqual(await read(store, COUNT), [[4, 4]]);
    await using snapshot = await store.snapshot(EVERYTHING);
    assert.deepEqual(snapshot.lost, { files: 2, rows: 4 });
    const since = new Date(START_MS + 2 * HOUR_MS).toISOString();
    await using later = await store.snapshot({ ...EVERYTHING, since });
    assert.deepEqual(later.lost, { files: 0, rows: 0 }, "not of the asked range");
    assert.equal(
      (await Deno.stat(join(data.path, "quarantine", corrupt.split("/").at(-1) ?? ""))).isFile,
      true,
    );
  }
  await using again = await open(data.path);
  await using snapshot = await again.snapshot(EVERYTHING);
  assert.deepEqual(snapshot.lost, { files: 2, rows: 4 }, "for good");
});

Deno.test("who only reads a data folder leaves damaged files out too, and changes nothing", async () => {
  await using data = await folder();
  await (await sealedHours(data.path, 3))[Symbol.asyncDispose]();
  const files = (await parquetFiles(data.path)).toSorted();
  await flipBit(files[0] ?? "");
  using source = openStoredFiles({
    dataDir: data.path,
    streams: ["logs"],
    host: "web-1",
    scratchFolder: data.path,
  });
  assert.deepEqual(await read(source, COUNT), [[4, 4]]);
  await using snapshot = await source.snapshot(EVERYTHING);
  assert.deepEqual(snapshot.lost, { files: 1, rows: 2 });
  assert.deepEqual((await parquetFiles(data.path)).toSorted(), files);
});

Deno.test("a bit that flips without a trace in the file's time is found by the scrub", async () => {
  await using data = await folder();
  let nowMs = START_MS + 3 * HOUR_MS;
  await using store = await sealedHours(data.path, 2, () => nowMs);
  const [file = ""] = (await parquetFiles(data.path)).toSorted();
  const { mtime } = await Deno.stat(file);
  await flipBit(file);
  await Deno.utime(file, mtime ?? 0, mtime ?? 0);
  const { signal } = new AbortController();
  const scrubAll = async () => {
    for (let i = 0; i < 3; i++) await store.keeper.scrub(7 * 24 * HOUR_MS, signal);
  };
  await scrubAll();
  assert.deepEqual(store.totals().removed, [], "verified less than a week ago");
  nowMs += 8 * 24 * HOUR_MS;
  await scrubAll();
  const [removed, ...more] = store.totals().removed;
  assert.deepEqual([removed?.reason, removed?.rows, more.length], ["corrupt", 2, 0]);
});

Deno.test("retention removes chunks whose newest row is too old, and counts what they held", async () => {
  await using data = await folder();
  let nowMs = START_MS + 4 * HOUR_MS;
  await using store = await sealedHours(data.path, 4, () => nowMs);
  await store.keeper.retire({ ageMs: 4 * HOUR_MS });
  assert.deepEqual(await read(store, COUNT), [[8, 8]]);
  nowMs += HOUR_MS + 60_000;
  await store.keeper.retire({ ageMs: 4 * HOUR_MS });
  assert.deepEqual(await read(store, COUNT), [[4, 4]]);
  const paths = (await parquetFiles(data.path)).map((path) => relative(data.path, path)).sort();
  assert.deepEqual(paths.map((path) => path.split("/")[3]), ["hour=20", "hour=21"]);
  await assert.rejects(Deno.stat(join(data.path, dirname(paths[0] ?? ""), "..", "hour=18")));
  const [removed] = store.totals().removed;
  assert.deepEqual([removed?.stream, removed?.reason, removed?.rows], ["logs", "retention", 4]);
  assert.equal(store.generations("logs")[0]?.offset, 80, "where reading goes on stays");
  await using snapshot = await store.snapshot(EVERYTHING);
  assert.deepEqual(snapshot.lost, { files: 0, rows: 0 }, "nothing is lost that was to go");
});

Deno.test("retention by bytes removes the oldest chunks, and no parts", async () => {
  await using data = await folder();
  await using store = await sealedHours(data.path, 4);
  await store.append(batch(8, 2, () => START_MS - HOUR_MS));
  await store.flush();
  const { storedBytes } = store.stats();
  await store.keeper.retire({ bytes: storedBytes - 1 });
  assert.deepEqual(
    await read(
      store,
      "SELECT min(ts)::VARCHAR, count(*)::INT FROM logs WHERE ts >= '2026-11-22 18:00'",
    ),
    [["2026-11-22 19:00:00", 6]],
  );
  await store.keeper.retire({ bytes: 0 });
  assert.deepEqual(await read(store, COUNT), [[2, 2]], "the part");
});

Deno.test("a chunk that a query reads is deleted after it; a kill before that leaves nothing behind", async () => {
  await using data = await folder();
  {
    await using store = await sealedHours(data.path, 2);
    const snapshot = await store.snapshot(EVERYTHING);
    await store.keeper.retire({ bytes: 0 });
    assert.equal((await parquetFiles(data.path)).length, 2);
    assert.deepEqual(await read(store, COUNT), [[0, 0]]);
    await snapshot[Symbol.asyncDispose]();
    assert.equal((await parquetFiles(data.path)).length, 0);
    await store.keeper.retire({});
    await assert.rejects(Deno.stat(join(data.path, "stream=logs")), Deno.errors.NotFound);
    assert.equal(onDisk(data.path), 0, "the next look finds it gone");
  }
  await using killed = await folder();
  const paths = await killedWhileRetiring(killed.path);
  assert.equal((await parquetFiles(killed.path)).length, 2);
  await using store = await open(killed.path);
  assert.deepEqual(await parquetFiles(killed.path), [], paths.join());
  assert.deepEqual(await read(store, COUNT), [[0, 0]]);
});

/** Removed files that agent.db does not know to be gone. */
function onDisk(path: string): number {
  const database = new DatabaseSync(databasePath(path), { readOnly: true });
  try {
    return Number(database.prepare("SELECT sum(on_disk) AS files FROM removed").get()?.files);
  } finally {
    database.close();
  }
}

/** What a kill leaves between the commit of a retention and the deletion. */
async function killedWhileRetiring(path: string): Promise<string[]> {
  await using store = await sealedHours(path, 2);
  const paths = await parquetFiles(path);
  const kept = await Promise.all(paths.map((file) => Deno.readFile(file)));
  await store.keeper.retire({ bytes: 0 });
  for (const [i, file] of paths.entries()) {
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeFile(file, kept[i] ?? new Uint8Array());
  }
  using database = new DatabaseSync(databasePath(path));
  database.exec("UPDATE removed SET on_disk = 1");
  assert.equal(removedTotals(database)[0]?.rows, 4);
  assert.deepEqual(expiredChunks(database, { bytes: 0 }, { nowMs: 0, onlyArchived: false }), []);
  return paths;
}

Deno.test("files that are missing at a start are taken in again when they are back", async () => {
  await using data = await folder();
  await (await sealedHours(data.path, 2))[Symbol.asyncDispose]();
  const hidden = join(data.path, "unmounted");
  await Deno.rename(join(data.path, "stream=logs"), hidden);
  {
    await using store = await open(data.path);
    assert.deepEqual(await read(store, COUNT), [[0, 0]]);
  }
  await Deno.rename(hidden, join(data.path, "stream=logs"));
  await using store = await open(data.path);
  assert.deepEqual(await read(store, COUNT), [[4, 4]]);
  assert.deepEqual(store.totals().removed, []);
});
