/** state/queries.ts: a bounded memory that knows what a crash interrupted. */
import assert from "node:assert/strict";
import { openDatabase } from "../../../../orchestrator/state/database.ts";
import { QueryTable } from "../../../../orchestrator/state/queries.ts";
import type { QueryRecord } from "../../../../orchestrator/state/queries.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

function record(index: number, different: Partial<QueryRecord> = {}): QueryRecord {
  const id = `${index.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
  return {
    query_id: `q-${id.slice(0, 6)}`,
    id,
    operator: "ed25519:x",
    sql: "SELECT 1",
    selector: "",
    started_at: new Date(index * 1_000).toISOString(),
    state: "complete",
    mode: null,
    range: null,
    elapsed_ms: 1,
    rows_shipped: 0,
    bytes_shipped: 0,
    coverage: null,
    error: null,
    ...different,
  };
}

Deno.test("what ran when an orchestrator ended is interrupted; running queries are listed first", async () => {
  await using folder = await TempFolder.make();
  {
    using database = openDatabase(folder.path);
    const table = new QueryTable(database);
    table.save(record(1, { state: "running" }));
    table.save(record(2));
    assert.deepEqual(table.list(9).map(({ state }) => state), ["running", "complete"]);
  }
  using database = openDatabase(folder.path);
  const states = new QueryTable(database).list(9).map(({ state }) => state);
  assert.deepEqual(states, ["complete", "interrupted"]);
});

Deno.test("a beginning names a query when it is the only one; the oldest are forgotten", async () => {
  await using folder = await TempFolder.make();
  using database = openDatabase(folder.path);
  const table = new QueryTable(database);
  database.exec("BEGIN");
  for (let i = 1; i <= 10_300; i++) table.save(record(i));
  database.exec("COMMIT");
  const count = Number(database.prepare("SELECT count(*) AS n FROM queries").get()?.["n"]);
  assert.ok(count >= 10_000 && count <= 10_101, `${count}`);
  assert.throws(() => table.find("00000001"), /There is no query 00000001/);
  assert.equal(table.find("0000283c").id, record(10_300).id);
  assert.throws(() => table.find("q-00002"), /could be .*: write more of it/);
  assert.throws(() => table.find("%"), /There is no query %/);
});
