/** Windows: those over one host's rows run on the hosts, all others where the rows come together. */
import assert from "node:assert/strict";
import { Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { check, SAMPLES } from "./compared.ts";
import { DEALS, Fleet } from "./fleet.ts";

const OF_HOST = "OVER (PARTITION BY host ORDER BY ts, line)";

const CASES: [mode: Plan["mode"], sql: string][] = [
  ["host_complete", `SELECT *, row_number() ${OF_HOST} AS n FROM logs`],
  [
    "host_complete",
    `SELECT host, ts, ts - lag(ts) ${OF_HOST} AS gap FROM logs ORDER BY host, ts, 3`,
  ],
  ["host_complete", `SELECT * FROM logs QUALIFY row_number() ${OF_HOST} <= 3 ORDER BY ts, host`],
  [
    "host_complete",
    `SELECT line, sum(status) OVER (PARTITION BY l.host, l.status) AS s, count(*) OVER (PARTITION BY host)
     FROM logs AS l WHERE status > 200 ORDER BY ALL LIMIT 5 OFFSET 2`,
  ],
  [
    "host_complete",
    "SELECT lower(host) AS host, rank() OVER w AS r FROM logs WINDOW w AS (PARTITION BY host ORDER BY ts) ORDER BY host, 2",
  ],
  ["host_complete", `SELECT line AS a, line AS a, row_number() ${OF_HOST} FROM logs ORDER BY 1`],
  ["rows", `SELECT line, row_number() ${OF_HOST} AS n FROM logs ORDER BY ts, line`],
  ["rows", `SELECT DISTINCT host, count(*) OVER (PARTITION BY host) FROM logs`],
  ["rows", "SELECT line, count(*) OVER (PARTITION BY status) FROM logs"],
  ["rows", "SELECT line, count(*) OVER () FROM logs"],
  ["rows", `SELECT line, count(*) OVER (PARTITION BY host), count(*) OVER () FROM logs`],
  ["rows", "SELECT line, count(*) OVER (PARTITION BY lower(host)) FROM logs"],
];

Deno.test("windows equal one DuckDB's, and those over hosts run there", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  for (const deal of ["by host", "all to one", "at random"]) {
    await fleet.deal(DEALS[deal] ?? "0"); // at random no host has all of its rows: rows only are compared
    for (const [mode, sql] of CASES) {
      const plan = await check(fleet, planner, {
        sql,
        ordered: sql.includes("FROM") && /ORDER BY [^)]*$/.test(sql),
      });
      assert.equal(plan?.mode, mode, sql);
    }
  }
});
