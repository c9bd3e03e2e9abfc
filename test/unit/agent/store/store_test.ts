import { REJECTS_SCHEMA } from "../../../../protocol/schema/streams.ts";
import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { openStoredFiles } from "../../../../agent/store/files/stored_files.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import {
  batch,
  copy,
  COUNT,
  folder,
  GENERATION,
  HOUR_MS,
  open,
  parquetFiles,
  read,
  START_MS,
} from "./scene.ts";

const stored = (dataDir: string) => ({
  dataDir,
  streams: ["logs"],
  host: "web-1",
  scratchFolder: join(dataDir, "scratch"),
});

Deno.test("rows can be queried before any flush, and once only after it", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
  await store.flush();
  await store.append(batch(5, 3, () => START_MS));
  assert.deepEqual(await read(store, COUNT), [[8, 8]]);
});

Deno.test("a flush makes rows and offset durable together; what was not flushed is read again", async () => {
  await using data = await folder();
  await using closed = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    await store.flush();
    await store.append(batch(5, 3, () => START_MS));
    await copy(data.path, closed.path); // what a kill at this moment would leave behind
  }
  await using store = await open(closed.path);
  const [generation] = store.generations("logs");
  assert.equal(generation?.offset, 50);
  assert.equal(generation?.lines, 5);
  assert.equal(generation?.tailSha256?.length, 64);
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
});

Deno.test("facts of a generation that come during a flush are durable after the next", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    const flushing = store.flush();
    const [known = GENERATION] = store.generations("logs");
    await Promise.resolve();
    store.putGeneration({ ...known, path: "/var/log/access.log.1" });
    await flushing;
  }
  await using store = await open(data.path);
  assert.equal(store.generations("logs")[0]?.path, "/var/log/access.log.1");
});

Deno.test("at start unfinished files are deleted, and what is no Parquet file is set aside", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
  }
  const parts = join(data.path, "parts", "logs");
  await Deno.writeTextFile(join(parts, ".writing-0-2026-11-22T18.ee.parquet"), "unfinished");
  await Deno.writeTextFile(join(parts, "2026-11-22T18.ff.parquet"), "torn");
  await using store = await open(data.path);
  const files = (await parquetFiles(data.path)).map((path) => relative(data.path, path)).sort();
  assert.equal(files.length, 2);
  assert.equal(files[1], "quarantine/2026-11-22T18.ff.parquet");
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
});

Deno.test("a snapshot leaves out files that do not touch the range", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 10, (line) => START_MS + line * HOUR_MS));
  await store.flush();
  await using snapshot = await store.snapshot({
    tables: ["logs"],
    since: new Date(START_MS + 2 * HOUR_MS).toISOString(),
    until: new Date(START_MS + 4 * HOUR_MS).toISOString(),
  });
  assert.equal(snapshot.tables.get("logs")?.rows, 2);
});

Deno.test("rejects are a table of their own and counted", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  const bad = batch(0, 0, () => START_MS);
  const line = new Uint8Array([0xff, 0x00, 0x41]);
  await store.append({
    ...bad,
    endOffset: 4,
    lines: 1,
    rejects: [{
      ts: BigInt(START_MS) * 1_000n,
      reason: "no_format",
      line,
      line_offset: 0,
      length: 4,
    }],
  });
  assert.equal(store.stats().rejects, 1);
  await store.flush();
  assert.equal(store.stats().rejects, 1);
  const check = async () => {
    await using snapshot = await store.snapshot({ tables: ["rejects"], since: null, until: null });
    await using engine = await Engine.open();
    const files = snapshot.tables.get("rejects")?.files ?? [];
    const select = tableSelect(REJECTS_SCHEMA, { files, region: "eu", since: null, until: null });
    const { rows } = await engine.read(
      `SELECT stream, host, region, file, reason, hex(line) FROM (${select})`,
    );
    assert.deepEqual(rows, [["logs", "web-1", "eu", "/var/log/access.log", "no_format", "FF0041"]]);
  };
  await check();
  await store.sealAll(); // into stream=rejects/…, whose name hides no column
  await check();
});

Deno.test("a request id is remembered until it expires, over a restart too", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    assert.equal(store.knowsRequest("a"), false);
    store.rememberRequest("a", START_MS + HOUR_MS);
  }
  {
    await using store = await open(data.path);
    assert.equal(store.knowsRequest("a"), true);
  }
  await using store = await open(data.path, () => START_MS + 2 * HOUR_MS);
  store.rememberRequest("b", START_MS + 3 * HOUR_MS);
  assert.deepEqual(["a", "b"].map((id) => store.knowsRequest(id)), [false, true]);
});

Deno.test("a data folder has one writer, and readers beside it", async () => {
  await using data = await folder();
  assert.throws(
    () => openStoredFiles(stored(data.path)),
    (error) => error instanceof LogvendError && error.message.includes("holds no data yet"),
  );
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  await assert.rejects(
    open(data.path),
    (error) => error instanceof LogvendError && error.message.includes("in use"),
  );
  using reader = openStoredFiles(stored(data.path));
  assert.deepEqual(await read(reader, COUNT), [[5, 5]]);
});

Deno.test("any device and inode number is kept: some file systems use all 64 bits", async () => {
  await using data = await folder();
  const generation = { ...GENERATION, device: 2 ** 63 + 2 ** 20, inode: 2 ** 60 + 2 ** 10 };
  {
    await using store = await open(data.path);
    store.putGeneration(generation);
  }
  await using store = await open(data.path);
  const [known] = store.generations("logs");
  assert.deepEqual([known?.device, known?.inode], [generation.device, generation.inode]);
});
