/** SQL as people type it gives, over five hosts, what one DuckDB with every row gives. */
import assert from "node:assert/strict";
import { Planner } from "../../../queries/plan/planner.ts";
import { check, SAMPLES } from "./compared.ts";
import { DEALS, Fleet } from "./fleet.ts";

const EVERYDAY = Deno.readTextFileSync(new URL("./everyday.sql", import.meta.url))
  .split("\n").filter((line) => line !== "" && !line.startsWith("--"))
  .map((line) => line.replace(/;$/, ""));

Deno.test(`${EVERYDAY.length} SELECTs of all kinds equal one DuckDB`, async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  for (const deal of ["by host", "at random"]) {
    await fleet.deal(DEALS[deal] ?? "0");
    for (const sql of EVERYDAY) {
      const plan = await check(fleet, planner, { sql, ordered: /ORDER BY[^)]*$/.test(sql) });
      assert.notEqual(plan, null, `DuckDB itself refuses ${sql}`);
    }
  }
});

Deno.test("COLLATE goes with no column to the merge, so that hosts send rows where it decides", async () => {
  await using planner = await Planner.open();
  await using fleet = await Fleet.open(SAMPLES);
  const modeOf = async (sql: string) => {
    const range = { since: null, until: null, implied: false };
    const now = "2026-11-22T19:00:00Z";
    const plan = await planner.plan({ sql, tables: fleet.known, now, range, rowsMax: 100 });
    return plan.mode;
  };
  const collated = "http_method COLLATE NOCASE";
  assert.equal(await modeOf(`SELECT count(*) FROM logs GROUP BY ${collated}`), "rows");
  assert.equal(
    await modeOf(`SELECT host, count(DISTINCT ${collated}) FROM logs GROUP BY 1`),
    "rows",
  );
  const windows =
    `SELECT ${collated} AS m, row_number() OVER (PARTITION BY host ORDER BY line) FROM logs`;
  assert.equal(await modeOf(`${windows} ORDER BY m`), "rows");
  assert.equal(await modeOf(`SELECT line FROM logs ORDER BY ${collated} LIMIT 5`), "top_k");
  assert.equal(await modeOf(`SELECT count(*) FROM logs WHERE ${collated} = 'get'`), "aggregate");
  const having = `HAVING max(status) > 3 AND ${collated} = 'get'`;
  assert.equal(
    await modeOf(`SELECT http_method, count(*) FROM logs GROUP BY 1 ${having}`),
    "aggregate",
  );
});
