import assert from "node:assert/strict";
import { join } from "node:path";
import { newStreamRows } from "../../../../agent/store/rows/rows.ts";
import { Store } from "../../../../agent/store/store.ts";
import { ACCESS, streamSchema } from "../../../../protocol/schema/streams.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
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
} from "./scene.ts";

/** Lines of some hours, turn by turn: 3 to 5 in memory's chunks of 2,048 rows each. */
const LINES = 10_000;
const HOURS = 3;
const atMs = (line: number) => START_MS + Math.floor(line / 1_500) % HOURS * HOUR_MS;

async function openBulk(dataDir: string, limits = { rowsMax: 1e6, lineBytesMax: 1e9, nice: 0 }) {
  return await Store.open({
    dataDir,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 0,
    limits,
    isBulk: true,
    signal: new AbortController().signal,
  });
}

Deno.test("what is written in bulk has a chunk's form in its parts already, hour by hour", async () => {
  await using data = await folder();
  await using store = await openBulk(data.path);
  store.putGeneration(GENERATION);
  for (let line = 0; line < LINES; line += 1_000) await store.append(batch(line, 1_000, atMs));
  await store.flush();
  const parts = await parquetFiles(data.path);
  assert.deepEqual(await read(store, COUNT), [[LINES, LINES]]);
  const chunks = await store.sealAll();
  assert.deepEqual(await read(store, COUNT), [[LINES, LINES]]);
  await using engine = await Engine.open();
  const form = async (files: readonly string[]) => {
    const list = files.map((path) => `'${path}'`).join(", ");
    const { rows } = await engine.read(
      `SELECT DISTINCT row_group_num_rows::INT, compression, row_group_id::INT
       FROM parquet_metadata([${list}]) ORDER BY 1`,
    );
    return rows;
  };
  const found = chunks.map(({ path }) => join(data.path, path));
  assert.equal(found.length, HOURS);
  assert.deepEqual(await form(found), [[3_000, "ZSTD", 0], [4_000, "ZSTD", 0]]);
  assert.deepEqual(parts.length, HOURS);
});

Deno.test("parts that bulk writing left behind are sealed by whoever comes next", async () => {
  await using data = await folder();
  {
    await using store = await openBulk(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 3_000, () => START_MS));
    await store.flush();
    await store.append(batch(3_000, 500, () => START_MS));
  }
  await using store = await open(data.path);
  const [chunk, ...more] = await store.sealAll();
  assert.deepEqual([chunk?.rows, more.length], [3_500, 0]);
  assert.deepEqual(await read(store, COUNT), [[3_500, 3_500]]);
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT num_row_groups::INT FROM parquet_file_metadata('${
      join(data.path, chunk?.path ?? "")
    }')`,
  );
  assert.deepEqual(rows, [[1]], "merged: they are small");
});

Deno.test("rows of many columns count as more when memory is looked at", async () => {
  const partsOf = async (columns: number) => {
    await using data = await folder();
    await using store = await openBulk(data.path, { rowsMax: 100, lineBytesMax: 1e9, nice: 0 });
    store.putGeneration(GENERATION);
    const fields = Array.from({ length: columns }, (_, i) => ({ name: `c${i}`, type: "BIGINT" }));
    const shape = { access: false, fields, layouts: [] };
    for (let line = 0; line < 90; line += 10) {
      const plain = batch(line, 10, () => START_MS);
      const rows = newStreamRows(streamSchema(shape).physical, 10);
      rows.count = 10;
      rows.columns.ts.values.set(plain.rows.columns.ts.values);
      rows.columns.ts.isNull.fill(0);
      await store.append({ ...plain, rows, shape });
    }
    return (await parquetFiles(data.path)).length;
  };
  assert.equal(await partsOf(2), 0);
  assert.equal(await partsOf(ACCESS.physical.length), 1);
});
