import assert from "node:assert/strict";
import { join } from "node:path";
import { compareChunks } from "../../../../../agent/store/sealing/same_chunk.ts";
import type { StoredFile } from "../../../../../agent/store/database/catalog.ts";
import { literal } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import * as scene from "../scene.ts";

const { folder, open, batch, START_MS } = scene;

interface Made extends StoredFile {
  absolute: string;
}

/** A chunk of twelve lines, which were flushed so many at a time. */
async function make(dataDir: string, atOnce: number): Promise<Made> {
  await using store = await open(dataDir, () => START_MS);
  store.putGeneration(scene.GENERATION);
  for (let line = 0; line < 12; line += atOnce) {
    await store.append(batch(line, atOnce, () => START_MS));
    await store.flush();
  }
  const [chunk] = await store.sealAll();
  assert.ok(chunk);
  return { ...chunk, absolute: join(dataDir, chunk.path) };
}

Deno.test("an hour that is sealed again of other parts is the same chunk: rows count, and not where they lie", async () => {
  await using data = await folder();
  const [one, other] = [await make(join(data.path, "a"), 12), await make(join(data.path, "b"), 4)];
  assert.equal(one.id, other.id);
  assert.notEqual(one.sha256, other.sha256);
  assert.equal(await compareChunks(one.absolute, other.absolute, other), "same");
  assert.equal(await compareChunks(other.absolute, one.absolute, one), "same");
});

const SELECTS = {
  "SELECT * FROM rows ORDER BY body_bytes_sent DESC": "same",
  // A stream has got columns since, or had them: rows without values are the same.
  "SELECT *, NULL::VARCHAR AS more FROM rows": "same",
  "SELECT * EXCLUDE (http_referer) FROM rows": "same",
  "SELECT *, if(body_bytes_sent = 3, 'a', NULL) AS more FROM rows": "other",
  "SELECT * EXCLUDE (status) FROM rows": "other",
  "SELECT * REPLACE (if(body_bytes_sent = 3, 404, status)::INTEGER AS status) FROM rows": "other",
  "SELECT * REPLACE (if(body_bytes_sent = 3, NULL, status) AS status) FROM rows": "other",
  // Each row that is twice there is missed elsewhere.
  "FROM rows WHERE body_bytes_sent <> 3 UNION ALL FROM rows WHERE body_bytes_sent = 4": "other",
} as const;

Deno.test("one value that is another makes another chunk, a column without values does not", async () => {
  await using data = await folder();
  const chunk = await make(join(data.path, "a"), 12);
  const path = join(data.path, "other.parquet");
  await using engine = await Engine.open({ memoryBytes: 2 ** 30 });
  const file = literal(chunk.absolute);
  await engine.run(
    `CREATE TABLE rows AS FROM read_parquet(${file}, hive_partitioning = false)`,
  );
  const said = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${file}) WHERE decode(key) = 'logvend'`,
  );
  const text = String(said.rows[0]?.[0]);
  const write = (select: string, metadata: string) =>
    engine.run(
      `COPY (${select}) TO ${literal(path)}
       (FORMAT parquet, KV_METADATA { logvend: ${literal(metadata)} })`,
    );
  for (const [select, likeness] of Object.entries(SELECTS)) {
    await write(select, text);
    assert.equal(await compareChunks(path, chunk.absolute, chunk), likeness, select);
  }
  await write("FROM rows LIMIT 11", text.replace('"rows":12', '"rows":11'));
  assert.equal(await compareChunks(path, chunk.absolute, chunk), "other");
  const none = { "FROM rows LIMIT 11": text, "FROM rows": text.replace(chunk.id, "0".repeat(16)) };
  for (const [select, metadata] of Object.entries(none)) {
    await write(select, metadata);
    assert.equal(await compareChunks(path, chunk.absolute, chunk), "none", select);
  }
  const wrong = text.replace('"rows":12', '"rows":11');
  await write("SELECT *, repeat(body_bytes_sent::VARCHAR, 5_000_000) AS more FROM rows", wrong);
  assert.equal(await compareChunks(path, chunk.absolute, chunk), "none");
  assert.equal(await compareChunks(path, chunk.absolute, chunk, 16 * 2 ** 20), "other");
  await Deno.writeTextFile(path, "no Parquet");
  assert.equal(await compareChunks(path, chunk.absolute, chunk), "none");
});
