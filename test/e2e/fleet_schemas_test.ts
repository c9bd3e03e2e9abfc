/** Hosts whose lines have columns of their own, or of other types: one table, as if in one place. */
import assert from "node:assert/strict";
import { Engine } from "../../queries/duckdb/engine.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";

const HOSTS = { "web-1": "eu", "web-2": "us" };

/** By host; the members of lines. */
const ROWS = {
  "web-1": [
    { code: 1, took: 1, first: "a", ok: true, name: "x" },
    { code: 2, took: 2, first: "b", ok: false, name: "y" },
    { code: 2, took: 3, name: "x" },
  ],
  "web-2": [
    { code: "2", took: 0.5, Second: 7, ok: "maybe", NAME: "x" },
    { code: "none", took: 1.5, Second: 8, NAME: "z" },
  ],
};

/** As one DuckDB would have them all. */
const ALL = `SELECT * FROM (VALUES
  ('1', 1.0::DOUBLE, 'a', 'true', 'x', NULL, 'web-1'), ('2', 2.0, 'b', 'false', 'y', NULL, 'web-1'),
  ('2', 3.0, NULL, NULL, 'x', NULL, 'web-1'), ('2', 0.5, NULL, 'maybe', 'x', 7, 'web-2'),
  ('none', 1.5, NULL, NULL, 'z', 8, 'web-2')
) AS logs(code, took, first, ok, name, "Second", host)`;

const QUESTIONS = [
  "SELECT code, count(*) AS n FROM logs GROUP BY code ORDER BY code",
  "SELECT second, count(*) AS n FROM logs GROUP BY second ORDER BY second NULLS LAST",
  "SELECT ok, count(*) AS n, sum(took) AS took FROM logs GROUP BY 1 ORDER BY 1 NULLS FIRST",
  "SELECT count(first) AS first, count(second) AS second, count(code) AS code, count(*) AS n FROM logs",
  "SELECT name, avg(took) AS took, max(code) AS code FROM logs GROUP BY name ORDER BY name",
  "SELECT code, took, first, ok, name, second, host FROM logs ORDER BY took DESC",
  "SELECT host, took FROM logs WHERE code = '2' AND took > 0.7 ORDER BY took LIMIT 5",
  "SELECT count(DISTINCT code) AS codes, min(second) AS second FROM logs",
  "SELECT took FROM logs WHERE second > 7",
];

Deno.test("embedded: hosts with other columns and types answer as one table", async () => {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker: "embedded", format: "json" });
  const now = new Date().toISOString();
  for (const [host, rows] of Object.entries(ROWS)) {
    const lines = rows.map((row) => `${JSON.stringify({ ts: now, ...row })}\n`);
    await Deno.writeTextFile(fleet.logFile(host), lines.join(""));
  }
  await eventually(async () => {
    const { answer } = await fleet.query("SELECT count(*) AS n FROM logs");
    return answer.rows[0]?.n === 5;
  });
  // Until the columns of all hosts are known, and that one code is no number.
  const all = "SELECT first, second, ok, name, took FROM logs WHERE code = 'x'";
  await eventually(async () => (await fleet.cli("query", all)).code === 0);
  await using engine = await Engine.open();
  await engine.run(`CREATE TABLE logs AS ${ALL}`);
  for (const sql of QUESTIONS) {
    const { code, answer } = await fleet.query(sql);
    assert.equal(code, 0, sql);
    const expected = await engine.read(`SELECT to_json(answer) FROM (${sql}) AS answer`);
    assert.deepEqual(answer.rows, expected.rows.map(([row]) => JSON.parse(String(row))), sql);
  }
  const { answer: { columns, rows } } = await fleet.query("SELECT * FROM logs ORDER BY took");
  assert.deepEqual(columns.map(({ name, type }) => `${name} ${type}`), [
    "ts TIMESTAMP",
    "code VARCHAR",
    "took DOUBLE",
    "first VARCHAR",
    "ok VARCHAR",
    "name VARCHAR",
    "Second BIGINT",
    "host VARCHAR",
    "region VARCHAR",
    "line VARCHAR",
  ]);
  assert.deepEqual(rows.map(({ code, Second }) => [code, Second]), [
    ["2", 7],
    ["1", null],
    ["none", 8],
    ["2", null],
    ["2", null],
  ]);
});
