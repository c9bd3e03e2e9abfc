/** Windows: those over one host's rows run on the hosts, all others where the rows come together. */
import assert from "node:assert/strict";
import { Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { accessTables } from "../../harness/tables.ts";
import { check, SAMPLES } from "./compared.ts";
import { DEALS, Fleet, NOW } from "./fleet.ts";

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
  ["host_complete", `SELECT line, row_number() ${OF_HOST} AS n FROM logs ORDER BY ts, line`],
  [
    "host_complete",
    `SELECT * FROM (SELECT *, row_number() ${OF_HOST} AS n FROM logs) WHERE n <= 2`,
  ],
  [
    "host_complete",
    `SELECT host, line FROM (SELECT host, line, status, row_number() ${OF_HOST} AS n FROM logs) AS s
     WHERE n <= 5 AND status > 200 ORDER BY n, host LIMIT 4`,
  ],
  [
    "host_complete",
    `WITH gaps AS (SELECT host, date_diff('second', lag(ts) ${OF_HOST}, ts) AS gap FROM logs)
     SELECT host, gap FROM gaps WHERE gap > 20 ORDER BY ALL LIMIT 7`,
  ],
  [
    "host_complete",
    `WITH gaps AS (SELECT host, status, date_diff('second', lag(ts) ${OF_HOST}, ts) AS gap FROM logs)
     SELECT status, max(gap) AS gap, median(gap), count(*) FROM gaps GROUP BY 1 ORDER BY 1`,
  ],
  [
    "host_complete",
    `SELECT host, list(n ORDER BY n) FROM (SELECT host, row_number() ${OF_HOST} AS n FROM logs)
     WHERE n < 4 GROUP BY host`,
  ],
  [
    "host_complete", // but for the list, which is made of all
    `SELECT host, list(n ORDER BY n) FROM
     (SELECT status AS host, row_number() ${OF_HOST} AS n FROM logs) WHERE n < 4 GROUP BY host`,
  ],
  [
    "host_complete",
    `WITH w AS (SELECT host, ts, row_number() ${OF_HOST} AS n FROM logs)
     SELECT a.host, count(*) FROM w AS a JOIN w AS b ON a.host = b.host AND a.n = b.n + 1 GROUP BY 1`,
  ],
  [
    "host_complete",
    `SELECT count(*) FROM (SELECT host, rank() ${OF_HOST} AS r FROM logs) AS w
     WHERE r > (SELECT min(status) // 100 FROM logs)`,
  ],
  [
    "rows",
    `SELECT status, sum(n) OVER (PARTITION BY host) FROM
     (SELECT status, lower(host) AS host, row_number() ${OF_HOST} AS n FROM logs LIMIT 5)`,
  ],
  [
    "host_complete",
    `SELECT upper(host) AS host, line FROM logs QUALIFY row_number() ${OF_HOST} = 1 ORDER BY length(line), ts`,
  ],
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

Deno.test("windows whose rows travel say so: their number is capped", async () => {
  await using planner = await Planner.open();
  const check = async (sql: string, reason: string | null) => {
    const range = { since: null, until: null, implied: false };
    const plan = await planner.plan({
      sql,
      tables: accessTables("logs"),
      now: NOW,
      range,
      rowsMax: 100,
    });
    assert.deepEqual([plan.mode, plan.reason], ["host_complete", reason], sql);
  };
  const rows = "each row that comes out of its windows is one";
  const ranked = `SELECT host, status, row_number() ${OF_HOST} AS n FROM logs`;
  await check(ranked, rows);
  await check(`${ranked} ORDER BY n LIMIT 101`, rows);
  await check(`${ranked} ORDER BY n LIMIT 100`, null);
  await check(`SELECT status, max(n) FROM (${ranked}) GROUP BY 1`, null);
  await check(
    `SELECT a.n, max(b.n) FROM (${ranked}) AS a JOIN (${ranked}) AS b USING (n) GROUP BY 1`,
    rows,
  );
});
