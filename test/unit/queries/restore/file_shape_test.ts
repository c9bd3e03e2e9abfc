/** file_shape.ts: a file tells how its lines are made up, whatever a rule changed in them. */
import assert from "node:assert/strict";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { layoutsOfFile } from "../../../../queries/restore/file_shape.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

Deno.test("layouts are found in files of which every line was redacted", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const path = folder.join("chunk.parquet");
  const layout = '["a=",["a","text"]]';
  await engine.run(`COPY (SELECT unnest([${literal(`${layout}+redacted`)}, 'text+redacted',
    'combined', NULL]) AS layout) TO ${literal(path)} (FORMAT parquet)`);
  assert.deepEqual(await layoutsOfFile(engine, path), [layout]);
});
