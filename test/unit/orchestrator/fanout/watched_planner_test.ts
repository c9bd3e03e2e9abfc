import assert from "node:assert/strict";
import { WatchedPlanner } from "../../../../orchestrator/fanout/watched_planner.ts";
import { accessTables } from "../../../harness/tables.ts";

Deno.test("SQL that holds the planner up is refused, and the next question is planned", async () => {
  await using planner = await WatchedPlanner.open(300);
  const start = async (sql: string) => {
    const range = { since: null, until: null, implied: false };
    const request = { sql, tables: accessTables("logs"), now: "2026-11-22T20:00:00Z", range };
    return await (await planner.start({ ...request, rowsMax: 1_000 })).plan;
  };
  const slow = "SELECT * FROM range(levenshtein(repeat('a', 15000), repeat('b', 15000)))";
  await assert.rejects(start(slow), { code: "bad_sql", message: /too long to plan/ });
  assert.equal((await start("SELECT count(*) FROM logs")).mode, "aggregate");
});
