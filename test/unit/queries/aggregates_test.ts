/** Every aggregate over a fleet, where there is little to aggregate: NULLs, no rows, no hosts. */
import assert from "node:assert/strict";
import { Planner } from "../../../queries/plan/planner.ts";
import { AGGREGATES as NAMES } from "../../../queries/gate_functions.ts";
import { accessTables } from "../../harness/tables.ts";
import { check, SAMPLES } from "./compared.ts";
import { DEALS, Fleet, NOW } from "./fleet.ts";

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
  "quantile_cont(X, 0.3)",
  "median(X)",
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
  const [approximate = 0, ofDecimals = 0, exact = 0, ofTimes] = await ask(
    "approx_quantile(request_time, 0.9), approx_quantile(request_time::DECIMAL(9, 3), 0.9), " +
      "quantile_disc(request_time, 0.9), " +
      "approx_quantile(make_timestamp(status), 0.5) = make_timestamp(3)",
  );
  for (const about of [approximate, ofDecimals]) {
    assert.ok(Math.abs(about / exact - 1) < 0.006, `${about} for ${exact}`);
  }
  assert.equal(ofTimes, 1);
});

/** Arguments of aggregates that take other ones than a value; X is the value. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  ...named("X > 1", "bool_and bool_or count_if countif"),
  ...named("", "count_star"),
  ...named("X, line", "arg_max arg_max_null arg_max_nulls_last argmax max_by arg_min arg_min_null"),
  ...named("X, line", "arg_min_nulls_last argmin min_by"),
  ...named("X, body_bytes_sent", "corr covar_pop covar_samp regr_avgx regr_avgy regr_count"),
  ...named("X, body_bytes_sent", "regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy"),
  ...named("X, body_bytes_sent", "wavg weighted_avg"),
  ...named("X ORDER BY line", "array_agg list first last any_value arbitrary"),
  ...named("X::VARCHAR, ',' ORDER BY line", "string_agg group_concat listagg"),
  ...named("X, 0.25", "quantile quantile_cont quantile_disc"),
  ...named("X::INTEGER", "bit_and bit_or bit_xor"),
  ...named("X::INTEGER, 0, 1000", "bitstring_agg"),
  ...named("X, [0, 404, 1000]", "histogram_exact"),
  ...named("X % 2", "mode"),
  ...named("X + 1", "geomean geometric_mean product"),
};

/** Their answer is one of several or has an error that they state, they need a window, or DuckDB keeps them. */
const ELSEWHERE = new Set(
  ("sum_no_overflow json_group_array json_group_object approx_count_distinct approx_quantile approx_top_k reservoir_quantile cume_dist dense_rank fill " +
    "first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number")
    .split(" "),
);

function named(argument: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, argument]));
}

Deno.test("every aggregate there is equals one DuckDB's over NULLs, no rows, a filter and one group", async () => {
  const names = [...NAMES].filter((name) => !ELSEWHERE.has(name));
  const half = Math.ceil(names.length / 2); // a DuckDB for each, so that two processors are at work
  await Promise.all([names.slice(0, half), names.slice(half)].map(compareAll));
});

async function compareAll(names: readonly string[]) {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await fleet.deal(DEALS["at random"] ?? "0");
  for (const name of names) {
    let ran = 0;
    for (const argument of ["request_time", "NULL::INTEGER"]) {
      const call = `${name}(${(ARGUMENTS[name] ?? "X").replaceAll("X", argument)})`;
      const filtered = `${call} FILTER (WHERE status = 404)`;
      for (
        const sql of [
          `SELECT ${call} AS a, ${filtered} AS b, ${call} FILTER (WHERE false) AS c FROM logs`,
          `SELECT ${call} AS a FROM logs WHERE false`,
          `SELECT status IS NULL AS k, ${call} AS a, ${filtered} AS b FROM logs GROUP BY ALL`,
        ]
      ) {
        if (await check(fleet, planner, { sql, ordered: false }) !== null) ran++;
      }
    }
    assert.ok(ran >= 1, `${name}: ${ran} ran`);
  }
}
