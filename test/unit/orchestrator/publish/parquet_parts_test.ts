import assert from "node:assert/strict";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { parquetParts } from "../../../../orchestrator/publish/parquet_parts.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const SELECT = `SELECT i, hash(i)::VARCHAR AS text, i::DECIMAL(38, 0) AS d, NULL::TIMESTAMPTZ AS t,
    [i, NULL] AS list, {'a': i} AS part FROM range($rows::BIGINT) AS t(i) ORDER BY i DESC`;

async function written(engine: Engine, path: string, rows: number) {
  const select = SELECT.replace("$rows", String(rows));
  await engine.run(`COPY (${select}) TO ${literal(path)} (FORMAT parquet)`);
  return (await Deno.stat(path)).size;
}

Deno.test("a long file becomes several, in the order of its rows, of the same columns", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const path = folder.join("answer.parquet");
  const size = await written(engine, path, 300_000);
  const describe = async (file: string) =>
    (await engine.read(`DESCRIBE FROM ${literal(file)}`)).rows.map((row) => row.slice(0, 2));
  const columns = await describe(path);
  const said: number[] = [];
  const found: unknown[][] = [];
  const parts = parquetParts({ path, folder: folder.path, bytesMax: Math.ceil(size / 2) });
  for await (const { path: part, rows } of parts) {
    said.push(rows);
    assert.deepEqual(await describe(part), columns);
    const { rows: values } = await engine.read(`FROM ${literal(part)}`);
    found.push(...values.map(([i, , , , list]) => [i, String(list)]));
  }
  assert.equal(said.length, 3, "whole row groups: 122,880 rows each");
  assert.equal(said.reduce((sum, rows) => sum + rows, 0), 300_000);
  const expected = Array.from({ length: 300_000 }, (_, i) => BigInt(299_999 - i));
  assert.deepEqual(found.map(([i]) => i), expected);
  assert.equal(found[0]?.[1], "[299999, NULL]");
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["answer.parquet"]);
});

Deno.test("a short file is left as it is, an empty one too; what is none is refused", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  for (const rows of [1_000, 0]) {
    const path = folder.join(`${rows}.parquet`);
    const size = await written(engine, path, rows);
    const bytesMax = rows === 0 ? 1 : size;
    const parts = await Array.fromAsync(parquetParts({ path, folder: folder.path, bytesMax }));
    assert.deepEqual(parts, [{ path, rows }]);
  }
  const path = await folder.write("cut.parquet", "PAR1 and then nothing");
  await assert.rejects(
    Array.fromAsync(parquetParts({ path, folder: folder.path, bytesMax: 1 })),
    /parquet|footer|magic/i,
  );
});
