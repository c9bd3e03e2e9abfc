/** Random queries over five hosts give what one DuckDB with every row gives: values and types. */
import assert from "node:assert/strict";
import { Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { check, SAMPLE_LOGS, SAMPLES } from "./compared.ts";
import { composedQuery } from "./composed_query.ts";
import { DEALS, Fleet } from "./fleet.ts";
import { dealMixed } from "./mixed_hosts.ts";
import { Dice, groupedQuery, rowsQuery } from "./random_query.ts";
import type { RandomQuery } from "./random_query.ts";
import { SEED, times } from "../../harness/seed.ts";

const COUNT = times(2_000);

type Modes = Record<Plan["mode"], number>;

/** Queries are shared out to as many fleets: a DuckDB each, so that the processors are all at work. */
const FLEETS = 2;

Deno.test(`${COUNT} random queries equal one DuckDB (LOGVEND_SEED=${SEED})`, async () => {
  const counts = await Promise.all(
    Array.from({ length: FLEETS }, (_, i) => compareSome(new Dice(SEED * FLEETS + i))),
  );
  const modes: Modes = { host_complete: 0, aggregate: 0, top_k: 0, rows: 0, catalog: 0 };
  for (const mode of Object.keys(modes) as Plan["mode"][]) {
    modes[mode] = counts.reduce((sum, count) => sum + count[mode], 0);
  }
  assert.ok(modes.aggregate > COUNT * 0.45, `too few aggregates: ${JSON.stringify(modes)}`);
  assert.ok(modes.top_k > COUNT / 30 && modes.host_complete > COUNT / 30, JSON.stringify(modes));
  assert.ok(modes.rows < COUNT * 0.37, `too many ship rows: ${JSON.stringify(modes)}`);
});

/** One fleet's share of the queries. */
async function compareSome(dice: Dice): Promise<Modes> {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  const modes = { host_complete: 0, aggregate: 0, top_k: 0, rows: 0, catalog: 0 };
  const deals = Object.values(DEALS);
  const count = Math.ceil(COUNT / FLEETS / deals.length);
  for (const deal of deals) {
    await fleet.deal(deal);
    for (let i = 0; i < count; i++) {
      const plan = await check(fleet, planner, randomQuery(dice));
      if (plan !== null) modes[plan.mode]++;
    }
  }
  return modes;
}

function randomQuery(dice: Dice) {
  return dice.chance(0.6) ? groupedQuery(dice) : rowsQuery(dice);
}

Deno.test("random queries over hosts with other columns and types equal one DuckDB", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  const dice = new Dice(SEED);
  const rounds = Math.ceil(COUNT / 10);
  let ran = 0;
  for (const deal of ["by host", "at random"]) {
    await dealMixed(fleet, SAMPLE_LOGS, DEALS[deal] ?? "0");
    for (let round = 0; round < rounds; round++) {
      if (await check(fleet, planner, randomQuery(dice)) !== null) ran++;
    }
  }
  assert.ok(ran > rounds, `${ran} of ${2 * rounds} ran`);
});

Deno.test("random SELECTs over SELECTs equal one DuckDB", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  const dice = new Dice(SEED);
  const rounds = Math.ceil(COUNT / 10);
  const ran = { aggregate: 0, rows: 0 };
  for (const deal of ["by host", "at random"]) {
    await fleet.deal(DEALS[deal] ?? "0");
    for (let round = 0; round < rounds; round++) {
      const plan = await check(fleet, planner, composedQuery(dice));
      if (plan?.mode === "aggregate" || plan?.mode === "rows") ran[plan.mode]++;
    }
  }
  assert.ok(ran.aggregate > rounds * 0.6 && ran.rows > rounds * 0.3, JSON.stringify(ran));
});

/** A table of the asker's: of its keys, some are no user's, one is there twice. */
const USERS = `SELECT * FROM (VALUES ('anna', 'red', 2, 200), ('bob', 'blue', 3, 404),
  ('bob', 'red', 4, 500), ('carl', NULL, 5, 999)) t(login, team, weight, code)`;

/** Joins with it that hosts can do themselves. */
const JOINS = [
  "logs JOIN users ON remote_user = login",
  "logs LEFT JOIN users ON remote_user = login AND weight > 2",
  "users JOIN logs ON status = code AND login <> 'anna'",
  "users RIGHT JOIN logs ON login = remote_user",
  "logs CROSS JOIN users",
];

/** The first rows of a join, or all. */
function joinedRows(dice: Dice, join: string): RandomQuery {
  const list = dice.pick([
    "*",
    "users.*, line",
    "team, line, status",
    "upper(team) AS t, ts, login",
    "weight + coalesce(status, 0) AS s, line AS team",
  ]);
  const where = dice.pick(["", " WHERE status > 200", " WHERE weight <> 3 OR http_method = 'GET'"]);
  const order = dice.pick([
    "",
    " ORDER BY ALL",
    " ORDER BY ts DESC, line, weight",
    " ORDER BY ts, line, code",
  ]);
  const limit = order === "" ? "" : dice.pick(["", " LIMIT 5", " LIMIT 8 OFFSET 3"]);
  return { sql: `SELECT ${list} FROM ${join}${where}${order}${limit}`, ordered: order !== "" };
}

Deno.test("random queries over joins with the asker's table equal one DuckDB, and hosts join", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.give("users", USERS);
  const dice = new Dice(SEED);
  const rounds = Math.ceil(COUNT / 40);
  let grouped = 0;
  let pushed = 0;
  let rows = 0;
  for (const [i, join] of JOINS.entries()) {
    await fleet.deal(Object.values(DEALS)[i % 3] ?? "0");
    for (let round = 0; round < rounds; round++) {
      if (dice.chance(0.3)) {
        if (await check(fleet, planner, joinedRows(dice, join)) !== null) rows++;
        continue;
      }
      const { sql, ...rest } = groupedQuery(dice);
      const column = dice.pick(["team", "login", "users.team", "http_method"]);
      const joined = sql.replace("FROM logs", `FROM ${join}`).replaceAll("http_method", column);
      const plan = await check(fleet, planner, { ...rest, sql: joined });
      if (plan === null) continue;
      grouped++;
      if (plan.mode !== "rows") pushed++;
    }
  }
  assert.ok(rows > rounds, `${rows} of rows`);
  assert.ok(grouped > rounds * 1.5, `${grouped} of ${rounds * JOINS.length} ran`);
  assert.ok(pushed > grouped * 0.4, `hosts joined ${pushed} of ${grouped}`);
});

Deno.test("what a join with the asker's table means is kept, where hosts join and where they cannot", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.give("users", USERS);
  await fleet.give("teams", "SELECT * FROM (VALUES ('red', 'host'), ('blue', NULL)) t(team, host)");
  await fleet.deal(DEALS["at random"] ?? "0");
  const cases: [mode: Plan["mode"], sql: string][] = [
    [
      "aggregate",
      "SELECT team, count(*) AS n FROM logs JOIN users ON remote_user = login GROUP BY 1",
    ],
    [
      "aggregate",
      "SELECT u.team, sum(l.body_bytes_sent) FROM logs l LEFT JOIN users u ON l.remote_user = u.login WHERE u.weight IS NULL OR u.weight > 2 GROUP BY u.team",
    ],
    [
      "aggregate",
      "SELECT team, quantile_cont(request_time, 0.9), count(DISTINCT request) FROM logs, users WHERE login = remote_user GROUP BY ALL",
    ],
    [
      "aggregate",
      "SELECT upper(team) AS team_name, count(*) FROM logs JOIN users ON remote_user = login GROUP BY team_name HAVING count(*) > 3 ORDER BY team_name",
    ],
    [
      "aggregate",
      "SELECT team, max(weight) FROM logs JOIN users ON remote_user = login JOIN teams USING (team) GROUP BY team",
    ],
    ["aggregate", "SELECT count(*) FROM users RIGHT JOIN logs ON login = remote_user"],
    ["aggregate", "SELECT DISTINCT team FROM logs JOIN users ON remote_user = login ORDER BY team"],
    [
      "aggregate",
      "SELECT max(n) FROM (SELECT team, count(*) AS n FROM logs JOIN users ON remote_user = login GROUP BY team)",
    ],
    [
      "top_k",
      "SELECT l.ts, team, line FROM logs l JOIN users ON remote_user = login ORDER BY ts DESC, team, line LIMIT 7 OFFSET 1",
    ],
    ["top_k", "SELECT * FROM logs JOIN users ON remote_user = login ORDER BY ALL LIMIT 5"],
    [
      "top_k",
      "SELECT line AS l FROM logs LEFT JOIN users ON remote_user = login ORDER BY weight NULLS FIRST, users.weight + status DESC, ts, line LIMIT 9",
    ],
    ["top_k", "SELECT team FROM logs JOIN users ON remote_user = login LIMIT 0"],
    ["rows", "SELECT line, u.* FROM logs JOIN users u ON remote_user = login WHERE weight > 2"],
    [
      "rows",
      "SELECT team, ts FROM logs, users WHERE login = remote_user ORDER BY length(line), ts, team",
    ],
    [
      "aggregate",
      "SELECT count(*), max(line) FROM (SELECT l.host, line, team FROM logs l JOIN users u ON l.remote_user = u.login) AS j WHERE j.team = 'red'",
    ],
    [
      "aggregate",
      "WITH j AS (SELECT upper(team) AS t, status FROM logs JOIN users ON remote_user = login) SELECT t, median(status), count(*) FROM j GROUP BY ALL",
    ],
    [
      "rows",
      "WITH j AS (SELECT team, status FROM logs JOIN users ON remote_user = login) SELECT a.team, count(*) FROM j a JOIN j b USING (status) GROUP BY 1",
    ],
    [
      "rows",
      "SELECT DISTINCT ON (team) team, line FROM logs JOIN users ON remote_user = login ORDER BY team, ts, line, weight",
    ],
    [
      "host_complete",
      "SELECT team, row_number() OVER (PARTITION BY host ORDER BY ts, line, weight) FROM logs JOIN users ON remote_user = login",
    ],
    ["rows", "SELECT count(*) FROM users LEFT JOIN logs ON login = remote_user"],
    ["rows", "SELECT count(*), count(ts) FROM logs FULL JOIN users ON login = remote_user"],
    ["rows", "SELECT login, ts FROM users LEFT JOIN logs ON login = remote_user ORDER BY ALL"],
    [
      "rows",
      "SELECT count(*) FROM logs JOIN users ON remote_user = login WHERE status > (SELECT avg(status) FROM logs)",
    ],
    [
      "aggregate",
      "SELECT lower(team) AS status, count(*) FROM logs JOIN users ON remote_user = login GROUP BY ALL",
    ],
    [
      "rows",
      "SELECT a.status, count(*) FROM logs a JOIN users ON a.remote_user = login JOIN logs b ON a.ts = b.ts GROUP BY 1",
    ],
    [
      "rows",
      "SELECT t.host, count(*) FROM logs JOIN users ON remote_user = login NATURAL JOIN teams t GROUP BY 1",
    ],
    ["rows", "SELECT count(*) FROM logs WHERE remote_user IN (SELECT login FROM users)"],
    ["rows", "SELECT * FROM users ORDER BY ALL"],
    [
      "rows",
      "WITH users AS (SELECT 'anna' AS login, 1 AS team) SELECT team, count(*) FROM logs JOIN users ON remote_user = login GROUP BY 1",
    ],
    [
      "aggregate",
      "SELECT coalesce(team, 'none') AS team, count(*) FROM logs LEFT JOIN users ON remote_user = login WHERE team IS NULL OR team <> 'blue' GROUP BY 1 ORDER BY team",
    ],
    [
      "rows",
      "SELECT coalesce(team, 'none') AS team, count(*) FROM logs LEFT JOIN users ON remote_user = login GROUP BY ALL HAVING team <> 'red'",
    ],
  ];
  for (const [mode, sql] of cases) {
    const plan = await check(fleet, planner, { sql, ordered: /ORDER BY/.test(sql) });
    assert.equal(plan?.mode, mode, sql);
  }
});

Deno.test("random queries over hosts with one row each equal one DuckDB", async () => {
  const few = SAMPLES.map((sample) => ({ ...sample, sql: `${sample.sql} LIMIT 4` }));
  await using fleet = await Fleet.open(few);
  await using planner = await Planner.open();
  await fleet.deal("(epoch(ts)::INTEGER // 20) % 4"); // logs are 20 s apart
  fleet.hostsAreWhole = false;
  const dealt = await fleet.engine.read(`SELECT count(*) FROM "host-3".logs`);
  assert.deepEqual(dealt.rows, [[1n]]);
  const dice = new Dice(SEED);
  let ran = 0;
  for (let round = 0; round < Math.ceil(COUNT / 10); round++) {
    if (await check(fleet, planner, randomQuery(dice)) !== null) ran++;
  }
  assert.ok(ran > COUNT / 20, `${ran} ran`);
});
