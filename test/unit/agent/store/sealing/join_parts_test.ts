import assert from "node:assert/strict";
import { join } from "node:path";
import { joinParts } from "../../../../../agent/store/sealing/join_parts.ts";
import { hashFile } from "../../../../../agent/store/files/verify.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

const COLUMNS = [
  { name: "n", type: "BIGINT" },
  { name: "word", type: "VARCHAR" },
  { name: "ratio", type: "DOUBLE" },
  { name: "is_even", type: "BOOLEAN" },
  { name: "bytes", type: "BLOB" },
];

/** Some columns have a dictionary and a filter, some do not, one is NULL now and then. */
const select = (start: number, end: number) =>
  `SELECT range AS n, CASE WHEN range % 3 > 0 THEN 'word ' || range % 100 END AS word,
     range / 7 AS ratio, range % 2 = 0 AS is_even, encode('byte ' || range) AS bytes
   FROM range(${start}, ${end})`;

const ZSTD = "COMPRESSION zstd, ROW_GROUP_SIZE 1000000";

interface Part {
  sql: string;
  options?: string;
}

/** Joins parts; gives how, and the file. */
async function joined(engine: Engine, folder: TempFolder, parts: readonly Part[]) {
  const sources: { path: string }[] = [];
  for (const [i, { sql, options = ZSTD }] of parts.entries()) {
    const path = folder.join(`part-${i}.parquet`);
    await engine.run(
      `COPY (${sql}) TO '${path}' (FORMAT parquet, PARQUET_VERSION V2, ${options},
         KV_METADATA {logvend: 'of a part'})`,
    );
    sources.push({ path });
  }
  const target = folder.join("chunk.parquet");
  const request = { columns: COLUMNS, sources, target, metadata: '{"of":"the chunk"}' };
  return { result: await joinParts(engine, request), target };
}

Deno.test("row groups are copied: rows, order, filters and statistics are as in one file", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const parts = [[0, 250_000], [250_000, 251_000], [251_000, 700_000]] as const;
  const { result, target } = await joined(
    engine,
    folder,
    parts.map(([start, end]) => ({ sql: select(start, end) })),
  );
  assert.equal(result?.rows, 700_000);
  assert.equal(result.bytes, (await Deno.stat(target)).size);
  assert.equal(result.sha256, await hashFile(target));
  const one = async (sql: string) => (await engine.read(sql)).rows[0];
  assert.deepEqual(
    await one(`SELECT count(*)::INT FROM (
      FROM read_parquet('${target}') AS had POSITIONAL JOIN (${select(0, 700_000)}) AS wanted
      WHERE had IS DISTINCT FROM wanted)`),
    [0],
  );
  for (const n of [0, 249_999, 250_000, 250_999, 251_000, 699_999]) {
    const { rows } = await engine.read(
      `SELECT n::INT, bytes = encode('byte ${n}') FROM '${target}' WHERE n = ${n}`,
    );
    assert.deepEqual(rows, [[n, true]]);
  }
  assert.deepEqual(
    await one(`SELECT count(*)::INT FROM '${target}' WHERE word = 'word 25'`),
    await one(`SELECT count(*)::INT FROM (${select(0, 700_000)}) WHERE word = 'word 25'`),
  );
  assert.deepEqual(await one(`SELECT count(*)::INT FROM '${target}' WHERE word = 'word x'`), [0]);
  assert.deepEqual(
    (await engine.read(
      `SELECT bloom_filter_excludes FROM parquet_bloom_probe('${target}', 'word', 'word x')`,
    )).rows,
    [[true], [true], [true]],
  );
  assert.deepEqual(
    await one(
      `SELECT list_sort(list(DISTINCT row_group_id))::VARCHAR, count(DISTINCT data_page_offset)::INT
               FROM parquet_metadata('${target}')`,
    ),
    ["[0, 1, 2]", 3 * COLUMNS.length],
  );
  assert.deepEqual(
    (await engine.read(
      `SELECT decode(key), decode(value) FROM parquet_kv_metadata('${target}')`,
    )).rows,
    [["logvend", '{"of":"the chunk"}']],
  );
});

Deno.test("parts that are not as chunks are must be merged: nothing is written", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const large = { sql: select(0, 400_000) };
  const check = async (what: string, parts: readonly Part[], isJoined: boolean) => {
    const { result, target } = await joined(engine, folder, parts);
    assert.equal(result !== null, isJoined, what);
    const there = await Deno.stat(target).then(() => true, () => false);
    assert.equal(there, isJoined, what);
    if (there) await Deno.remove(target);
  };
  await check("one part, however small", [{ sql: select(0, 10) }], true);
  await check("a small one beside a large one", [large, { sql: select(0, 10) }], true);
  await check("small ones", [{ sql: select(0, 10_000) }, { sql: select(0, 10_000) }], false);
  const long = {
    sql: select(0, 60_000).replace("'byte '", "sha256(range::VARCHAR) || repeat('x', 600)"),
  };
  await check("few rows of many bytes", [long, long], true);
  await check("another compression", [{ ...large, options: "COMPRESSION lz4" }, large], false);
  await check("small row groups", [{ ...large, options: "COMPRESSION zstd" }], false);
  await check("a column less", [large, { sql: `SELECT n, word FROM (${large.sql})` }], false);
  await check(
    "another type",
    [{ sql: `SELECT * REPLACE (n::INT AS n) FROM (${large.sql})` }],
    false,
  );
  await check("a column less in all", [{ sql: `SELECT n, word FROM (${large.sql})` }], false);
});

Deno.test("what is no Parquet file is no chunk", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const path = await folder.write("part.parquet", "PAR1 but nothing else that would be one: PAR1");
  const target = join(folder.path, "chunk.parquet");
  const request = { columns: COLUMNS, sources: [{ path }], target, metadata: "{}" };
  await assert.rejects(joinParts(engine, request), RangeError);
});
