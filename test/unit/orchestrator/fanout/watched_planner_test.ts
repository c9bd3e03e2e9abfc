import assert from "node:assert/strict";
import { WatchedPlanner } from "../../../../orchestrator/fanout/watched_planner.ts";
import { accessTables } from "../../../harness/tables.ts";

Deno.test("SQL that holds the planner up is refused, and the next question is planned", async () => {
  const patience = { heededMs: 100, endMs: 600_000 }; // what is stuck has ended before the test
  await using planner = await WatchedPlanner.open(patience);
  const start = async (sql: string) => {
    const range = { since: null, until: null, implied: false };
    const request = { sql, tables: accessTables("logs"), now: "2026-11-22T20:00:00Z", range };
    return await (await planner.start({ ...request, rowsMax: 1_000 })).plan;
  };
  const slow = "SELECT * FROM range(levenshtein(repeat('a', 30000), repeat('b', 30000)))";
  await assert.rejects(start(slow), { code: "bad_sql", message: /too long to plan/ });
  patience.heededMs = 600_000; // other SQL may take its time where the machine has much to do
  assert.equal((await start("SELECT count(*) FROM logs")).mode, "aggregate");
});
