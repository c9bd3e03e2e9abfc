/** Random queries over five hosts give what one DuckDB with every row gives: values and types. */
import { accessTables } from "../../harness/tables.ts";
import assert from "node:assert/strict";
import { schemaOf } from "../../../protocol/streams.ts";
import { Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { DEALS, Fleet, NOW } from "./fleet.ts";
import { Dice, groupedQuery, rowsQuery } from "./random_query.ts";
import type { RandomQuery } from "./random_query.ts";

const COUNT = Number(Deno.env.get("LOGVEND_DIFF_COUNT") ?? 2_000);
const SEED = Number(Deno.env.get("LOGVEND_SEED") ?? 1);

/** SQL of a whole number below `end` that depends on `i`. */
const spread = (salt: number, end: number) => `(hash(i, ${salt}) % ${end})::INTEGER`;

const SAMPLE_LOGS = `
  SELECT TIMESTAMP '2026-11-22 17:00:00' + to_seconds(i * 20 + ${
  spread(1, 9)
}) AS ts, ts AS time_local,
    '10.0.0.' || ${spread(2, 5)} AS remote_addr,
    [NULL, 'anna', 'bob'][1 + ${spread(3, 3)}] AS remote_user,
    ['GET', 'POST', 'get'][1 + ${spread(4, 3)}] AS http_method,
    ['/a', '/ab', '/é"', ''][1 + ${spread(5, 4)}] AS request, 'HTTP/1.1' AS http_version,
    [200, 200, 304, 404, 500, NULL][1 + ${spread(6, 6)}]::INTEGER AS status,
    CASE WHEN ${spread(7, 4)} > 0 THEN ${spread(8, 1000)} END::BIGINT AS body_bytes_sent,
    NULL::VARCHAR AS http_referer, 'curl' AS http_user_agent,
    CASE WHEN ${spread(9, 5)} > 0 THEN (${spread(10, 24)}) / 8 END::DOUBLE AS request_time,
    'web-' || 1 + ${spread(11, 3)} AS host, 'eu-west-1' AS region, 'line ' || i AS line,
    encode(line) AS line_bytes
  FROM range(400) t(i)`;

const SAMPLE_REJECTS = `
  SELECT TIMESTAMP '2026-11-22 18:00:00' AS ts, 'logs' AS stream, 'web-' || 1 + i % 2 AS host,
    'eu-west-1' AS region, 'access.log' AS file, 'g' AS generation, i AS line_offset,
    ['no_format', 'bad_time'][1 + i % 2] AS reason, i * 3 AS length, '\\x00'::BLOB AS line
  FROM range(12) t(i)`;

const SAMPLES = Object.entries({ logs: SAMPLE_LOGS, rejects: SAMPLE_REJECTS })
  .map(([table, sql]) => ({ table, columns: schemaOf(table).logical, sql }));

async function check(fleet: Fleet, planner: Planner, query: RandomQuery): Promise<Plan | null> {
  try {
    return await compare(fleet, planner, query);
  } catch (cause) {
    throw new Error(query.sql, { cause });
  }
}

async function compare(fleet: Fleet, planner: Planner, query: RandomQuery): Promise<Plan | null> {
  try {
    await fleet.askWhole(query.sql);
  } catch {
    return null; // the generator made up something that DuckDB itself refuses
  }
  const plan = await planner.plan({
    sql: query.sql,
    tables: accessTables("logs"),
    broadcast: fleet.own,
    now: NOW,
    range: { since: null, until: null, implied: false },
    rowsMax: 100,
  });
  // A host has all rows of its name, which rows dealt at random do not have.
  if (plan.mode === "host_complete" && !fleet.hostsAreWhole) return plan;
  await fleet.askHosts(plan);
  const [expected, actual] = [
    await fleet.answer("whole", query.ordered),
    await fleet.answer("merge", query.ordered),
  ];
  const context = `${query.sql}\n${plan.mode}\n${
    plan.partials.map(({ sql }) => sql).join("\n")
  }\n${plan.mergeSql}`;
  assert.deepEqual(actual, expected, context);
  assert.deepEqual(plan.columns, expected.columns, context);
  return plan;
}

Deno.test(`${COUNT} random queries equal one DuckDB (LOGVEND_SEED=${SEED})`, async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  const dice = new Dice(SEED);
  const modes = { host_complete: 0, aggregate: 0, top_k: 0, rows: 0, catalog: 0 };
  const deals = Object.values(DEALS);
  for (let i = 0; i < COUNT; i++) {
    if (i % Math.ceil(COUNT / deals.length) === 0) {
      await fleet.deal(deals[Math.floor(i * deals.length / COUNT)] ?? "0");
    }
    const query = dice.chance(0.6) ? groupedQuery(dice) : rowsQuery(dice);
    const plan = await check(fleet, planner, query);
    if (plan !== null) modes[plan.mode]++;
  }
  assert.ok(modes.aggregate > COUNT * 0.45, `too few aggregates: ${JSON.stringify(modes)}`);
  assert.ok(modes.top_k > COUNT / 50 && modes.host_complete > COUNT / 200, JSON.stringify(modes));
  assert.ok(modes.rows < COUNT * 0.4, `too many ship rows: ${JSON.stringify(modes)}`);
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

Deno.test("random queries over joins with the asker's table equal one DuckDB, and hosts join", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.give("users", USERS);
  const dice = new Dice(SEED);
  const rounds = Math.ceil(COUNT / 20);
  let grouped = 0;
  let pushed = 0;
  for (const [i, join] of JOINS.entries()) {
    await fleet.deal(Object.values(DEALS)[i % 3] ?? "0");
    for (let round = 0; round < rounds; round++) {
      const { sql, ...rest } = groupedQuery(dice);
      const column = dice.pick(["team", "login", "users.team", "http_method"]);
      const joined = sql.replace("FROM logs", `FROM ${join}`).replaceAll("http_method", column);
      const plan = await check(fleet, planner, { ...rest, sql: joined });
      if (plan === null) continue;
      grouped++;
      if (plan.mode !== "rows") pushed++;
    }
  }
  assert.ok(grouped > rounds * 2, `${grouped} of ${rounds * JOINS.length} ran`);
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

const AGGREGATES = [
  "count(*)",
  "count(X)",
  "sum(X)",
  "avg(X)",
  "min(X)",
  "max(X)",
  "bool_or(X > 1)",
  "count(DISTINCT X)",
  "sum(DISTINCT X)",
  "quantile_disc(X, 0.5)",
  "quantile_disc(X, [0, 1])",
  "histogram(X)",
  "stddev(X)",
  "var_pop(X)",
  "count_if(X > 1)",
  "arg_max(X, line)",
  "arg_min(line, line || X)",
];

Deno.test("each aggregate is right over NULLs, no rows, a filter and one group", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.deal(DEALS["at random"] ?? "0");
  for (const argument of ["status", "request_time", "status::DECIMAL(9,3)", "NULL::INTEGER"]) {
    const list = AGGREGATES.map((call) => call.replace("X", argument));
    const filtered = list.map((call) => `${call} FILTER (WHERE status = 404)`);
    for (
      const sql of [
        `SELECT ${list} FROM logs`,
        `SELECT ${list} FROM logs WHERE false`,
        `SELECT ${filtered} FROM logs`,
        `SELECT ${filtered} FROM logs WHERE status <> 404`,
        `SELECT 'one', ${list} FROM logs GROUP BY 1`,
        `SELECT host, ${list} FROM logs WHERE false GROUP BY host`,
        `SELECT status IS NULL, ${filtered} FROM logs GROUP BY ALL`,
      ]
    ) {
      const plan = await check(fleet, planner, { sql, ordered: false });
      assert.equal(plan?.mode, "aggregate", sql);
    }
  }
});

Deno.test("without any host the answer is that of an empty table", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.engine.run("DELETE FROM whole.logs");
  for (
    const sql of [
      "SELECT count(*), sum(status), avg(request_time), min(ts) FROM logs",
      "SELECT host, count(*) FROM logs GROUP BY host",
      "SELECT host, count(*) FROM logs GROUP BY ROLLUP (host)",
      "SELECT * FROM logs ORDER BY ts LIMIT 3",
      "SELECT line FROM logs",
    ]
  ) {
    await fleet.askWhole(sql);
    const range = { since: null, until: null, implied: false };
    const plan = await planner.plan({
      sql,
      tables: accessTables("logs"),
      now: NOW,
      range,
      rowsMax: 100,
    });
    await fleet.askHosts(plan, []);
    const [expected, actual] = [
      await fleet.answer("whole", true),
      await fleet.answer("merge", true),
    ];
    assert.deepEqual(actual, expected, sql);
  }
});

Deno.test("approximate aggregates are as near as they say", async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  const distinct = 20_000;
  await fleet.engine.run(
    `INSERT INTO whole.logs (status, host, line, request_time)
      SELECT i % 7, 'web-1', 'id ' || i % ${distinct}, (i % 10_007) / 8
      FROM range(60_000) t(i)`,
  );
  await fleet.deal(DEALS["at random"] ?? "0");
  const ask = async (select: string) => {
    const plan = await planner.plan({
      sql: `SELECT ${select} FROM logs WHERE line LIKE 'id %'`,
      tables: accessTables("logs"),
      now: NOW,
      range: { since: null, until: null, implied: false },
      rowsMax: 100,
    });
    assert.equal(plan.mode, "aggregate");
    await fleet.askHosts(plan);
    return (await fleet.engine.read("SELECT * FROM merge.answer")).rows[0]?.map(Number) ?? [];
  };
  const [few, many, none] = await ask(
    "approx_count_distinct(status), approx_count_distinct(line), " +
      "approx_count_distinct(line) FILTER (WHERE status > 7)",
  );
  assert.deepEqual([few, none], [7, 0]); // exact below 2,048
  assert.ok(Math.abs(Number(many) / distinct - 1) < 0.09, `${many}`); // four standard errors
  const [approximate = 0, exact = 0] = await ask(
    "approx_quantile(request_time, 0.9), quantile_disc(request_time, 0.9)",
  );
  assert.ok(Math.abs(approximate / exact - 1) < 0.006, `${approximate} for ${exact}`);
});
