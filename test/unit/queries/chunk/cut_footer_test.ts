import assert from "node:assert/strict";
import { cutFooter } from "../../../../queries/chunk/cut_footer.ts";
import { readFooter } from "../../../../queries/chunk/footer.ts";
import { readStruct, writeStruct } from "../../../../queries/parquet/thrift.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { GROUP_ROWS, MemoryObject, second, writeChunk } from "../../agent/archive/reads/objects.ts";

async function written(rows: number) {
  const folder = await TempFolder.make();
  const path = folder.join("chunk.parquet");
  await writeChunk(path, { rows });
  const object = new MemoryObject(await Deno.readFile(path));
  return { folder, object, path };
}

Deno.test("a footer is read back and written without loss", async () => {
  const { folder, object } = await written(5 * GROUP_ROWS);
  await using _folder = folder;
  const { bytes } = await readFooter(object.cached.read, object.bytes.length);
  assert.deepEqual(writeStruct(readStruct(bytes)), new Uint8Array(bytes));
});

Deno.test("a footer is read with one request when its size is known, else with two at most", async () => {
  const { folder, object } = await written(5 * GROUP_ROWS);
  await using _folder = folder;
  const { bytes, offset, rowGroups, columns } = await readFooter(
    object.cached.read,
    object.bytes.length,
    100,
  );
  assert.equal(object.asked.length, 2);
  assert.equal(offset + bytes.length + 8, object.bytes.length);
  assert.deepEqual(rowGroups.map(({ rows }) => rows), Array(5).fill(GROUP_ROWS));
  assert.equal(rowGroups[1]?.firstUs, second(GROUP_ROWS));
  assert.equal(rowGroups[1]?.lastUs, second(2 * GROUP_ROWS - 1));
  assert.deepEqual(columns.slice(0, 2), [
    { name: "ts", type: "TIMESTAMP" },
    { name: "remote_addr", type: "VARCHAR" },
  ]);
  object.asked.length = 0;
  await readFooter(object.cached.read, object.bytes.length, bytes.length + 8);
  assert.equal(object.asked.length, 1);
});

Deno.test("a file with a cut footer has the rows of its row groups and no others", async () => {
  const { folder, object, path } = await written(5 * GROUP_ROWS);
  await using _folder = folder;
  const { bytes, offset } = await readFooter(object.cached.read, object.bytes.length);
  const cut = folder.join("cut.parquet");
  const end = cutFooter(bytes, new Set([1, 3]));
  await Deno.writeFile(cut, new Uint8Array([...object.bytes.subarray(0, offset), ...end]));
  await using engine = await Engine.open();
  const of = async (file: string, where: string) => {
    const from = `(SELECT * FROM read_parquet(${literal(file)}) ${where}) AS rows`;
    const sql = `SELECT count(*)::INT, md5(string_agg(rows::VARCHAR, '' ORDER BY ts)) FROM ${from}`;
    return (await engine.read(sql)).rows;
  };
  const kept =
    `date_diff('second', TIMESTAMP '2026-11-22 19:00:00', ts) // ${GROUP_ROWS} IN (1, 3)`;
  assert.deepEqual(await of(cut, ""), await of(path, `WHERE ${kept}`));
  const needle = "remote_addr = '192.0.2.7'";
  assert.deepEqual(await of(cut, `WHERE ${needle}`), await of(path, `WHERE ${kept} AND ${needle}`));
});

Deno.test("what is no Parquet file is said to be none", async () => {
  const text = new MemoryObject(new TextEncoder().encode("<Error>NoSuchKey</Error>"));
  await assert.rejects(readFooter(text.cached.read, text.bytes.length), /no Parquet file/);
  const { folder, object } = await written(10);
  await using _folder = folder;
  const damaged = object.bytes.slice();
  damaged.fill(255, damaged.length - 60, damaged.length - 8);
  const bad = new MemoryObject(damaged);
  await assert.rejects(readFooter(bad.cached.read, damaged.length), /no Parquet file/);
});
