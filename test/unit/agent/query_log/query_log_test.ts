/** The query log: kept over restarts, bounded, and a table like any other. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { QUERY_LOG_TABLE, QueryLog, readQueryLog } from "../../../../agent/query_log/query_log.ts";
import type { AskedQuery, QueryOutcome } from "../../../../agent/query_log/query_log.ts";
import { openStoredFiles } from "../../../../agent/store/files/stored_files.ts";
import type { SnapshotSource } from "../../../../agent/store/snapshot.ts";
import { schemaOf } from "../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { folder, open, parquetFiles, START_MS } from "../store/scene.ts";

function asked(id: string, askedMs = START_MS, sql = "SELECT 1"): AskedQuery {
  return { id, askedMs, operator: "ed25519:k", selector: "", sql };
}

const COMPLETE: QueryOutcome = {
  state: "complete",
  error: null,
  rowsShipped: 3,
  bytesShipped: 100,
  chunks: 2,
  rowsScanned: 1_000,
  bytesRead: 5_000,
  sqlMs: 1.5,
  totalMs: 4.25,
};

/** What SQL says over the query log. */
async function read(source: SnapshotSource, sql: string, since: string | null = null) {
  const range = { since, until: null };
  await using snapshot = await source.snapshot({ tables: ["query_log"], ...range });
  const files = snapshot.tables.get("query_log")?.files ?? [];
  await using engine = await Engine.open();
  const select = tableSelect(schemaOf("query_log"), { files, region: "eu", ...range });
  await engine.run(`CREATE VIEW query_log AS ${select}`);
  return (await engine.read(sql)).rows;
}

Deno.test("the query log says who asked what and what it took, over a restart, and without an agent", async () => {
  await using data = await folder();
  const states = "SELECT query_id, state FROM query_log ORDER BY ts, query_id";
  {
    await using store = await open(data.path);
    assert.deepEqual(await read(store, states), []);
    store.rememberRequest("q1", START_MS + 60_000, asked("q1"));
    store.rememberRequest("q2", START_MS + 60_000, asked("q2", START_MS + 1));
    store.rememberRequest("tail", START_MS + 60_000); // is no query
    store.endQuery("q1", COMPLETE);
    const sql = "SELECT * EXCLUDE (ts) FROM query_log WHERE query_id = 'q1'";
    assert.deepEqual(await read(store, sql), [
      ["q1", "ed25519:k", "", "SELECT 1", "web-1", "eu", "complete", null]
        .concat([3n, 100n, 2n, 1_000n, 5_000n, 1.5, 4.25] as never[]),
    ]);
    assert.deepEqual(await read(store, states), [["q1", "complete"], ["q2", "running"]]);
    const later = new Date(START_MS + 1).toISOString();
    assert.deepEqual(await read(store, states, later), [["q2", "running"]]);
    assert.deepEqual(await parquetFiles(data.path), []);
  }
  {
    await using store = await open(data.path);
    assert.deepEqual(await read(store, states), [["q1", "complete"], ["q2", "interrupted"]]);
  }
  const options = { dataDir: data.path, streams: ["logs"], host: "web-1" };
  using source = openStoredFiles({ ...options, scratchFolder: `${data.path}/scratch` });
  assert.deepEqual(await read(source, states), [["q1", "complete"], ["q2", "interrupted"]]);
  assert.deepEqual(await parquetFiles(data.path), []);
});

Deno.test("the query log keeps the newest, and the beginning of very long SQL", () => {
  using database = new DatabaseSync(":memory:");
  database.exec(QUERY_LOG_TABLE);
  const log = new QueryLog(database);
  database.exec("BEGIN");
  for (let i = 0; i < 10_301; i++) log.begin(asked(`q${i}`, START_MS + i));
  log.begin(asked("long", START_MS + 20_000, "x".repeat(100_000)));
  database.exec("COMMIT");
  const entries = readQueryLog(database);
  assert.ok(entries.length >= 10_000 && entries.length <= 10_200, String(entries.length));
  assert.equal(entries.at(-2)?.id, "q10300");
  assert.equal(entries.at(-1)?.sql, `${"x".repeat(4_095)}…`);
});
