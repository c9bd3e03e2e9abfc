/** plan/catalog.ts: what the catalog says is what a DuckDB says that really has these tables. */
import assert from "node:assert/strict";
import type { Table } from "../../../../protocol/wire/messages.ts";
import { shownColumns } from "../../../../protocol/schema/streams.ts";
import { emptySelect, identifier } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { distinctNames } from "../../../../queries/plan/answer_columns.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { accessTables } from "../../../harness/tables.ts";

const TABLES: Table[] = [
  ...accessTables("logs"),
  {
    name: "it's",
    columns: [{ name: `a "b" 'c'`, type: "BIGINT" }, { name: "tags", type: "VARCHAR[]" }],
  },
];

async function planOf(planner: Planner, sql: string) {
  return await planner.plan({
    sql,
    tables: TABLES,
    now: "2026-11-22T19:00:00.250Z",
    range: { since: "2026-11-21T19:00:00Z", until: null, implied: true },
    rowsMax: 1_000,
  });
}

/** The answer, from an engine that holds nothing and may open nothing. */
async function answer(planner: Planner, sql: string) {
  const plan = await planOf(planner, sql);
  assert.equal(plan.mode, "catalog", sql);
  assert.deepEqual([plan.tables, plan.partials], [[], []]);
  await using engine = await Engine.open();
  await engine.lockDown([]);
  const result = await engine.read(plan.mergeSql);
  assert.deepEqual(result.columns, plan.columns, sql);
  return result;
}

/** A DuckDB in which the tables are views, as they are for SELECT. */
async function original(): Promise<Engine> {
  const engine = await Engine.open();
  for (const { name, columns } of TABLES) {
    const shown = shownColumns(columns, new Set());
    await engine.run(`CREATE VIEW ${identifier(name)} AS ${emptySelect(shown)}`);
  }
  return engine;
}

Deno.test("names, types and rows are those of DuckDB itself", async () => {
  await using planner = await Planner.open();
  await using duckdb = await original();
  for (
    const sql of [
      "SHOW TABLES",
      "DESCRIBE logs",
      "SHOW rejects",
      "DESC accounting",
      `DESCRIBE "it's"`,
      "DESCRIBE SELECT host, count(*), avg(status), [ts] AS l, now() FROM logs GROUP BY ALL",
      "DESCRIBE SELECT 1 AS a, 2 AS a",
      "DESCRIBE VALUES (1, 'x')",
      "DESCRIBE FROM (DESCRIBE logs)",
      "SELECT column_name FROM (DESCRIBE logs) AS d WHERE d.column_type = 'INTEGER'",
      "SELECT list(name), count(*) FROM (SHOW TABLES) WHERE name < 'm'",
      `SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type
       FROM information_schema.columns ORDER BY ALL`,
      `SELECT data_type, count(*) FROM information_schema.columns WHERE table_name = 'logs'
       GROUP BY data_type ORDER BY 2 DESC, 1`,
      `WITH wide AS (SELECT table_name, count(*) AS n FROM INFORMATION_SCHEMA.COLUMNS GROUP BY 1)
       SELECT t.table_name, n, typeof(n), upper(t.table_name), rank() OVER (ORDER BY n, table_name)
       FROM information_schema.tables AS t JOIN wide USING (table_name) ORDER BY n, 1`,
      `SELECT information_schema.columns.column_name, columns.data_type
       FROM information_schema.columns WHERE columns.table_name = 'it''s' ORDER BY 1`,
      `WITH "information_schema.columns" AS (SELECT 1 AS a), "catalog 0" AS (SELECT 'x' AS name)
       SELECT count(*), max(name), any_value(a) FROM information_schema.columns, (SHOW TABLES),
         "information_schema.columns"`,
      "SELECT table_name, table_name FROM information_schema.tables ORDER BY 1 DESC LIMIT 2",
      `SELECT (SELECT count(*) FROM information_schema.columns AS c
               WHERE c.table_name = t.table_name) AS n, table_name
       FROM information_schema.tables AS t ORDER BY 2`,
    ]
  ) {
    const expected = await duckdb.read(sql);
    const actual = await answer(planner, sql);
    assert.deepEqual(actual.rows.map(String), expected.rows.map(String), sql);
    assert.deepEqual(actual.columns, distinctNames(expected.columns), sql);
  }
});

Deno.test("information_schema holds the first of DuckDB's columns, and nothing of DuckDB's own", async () => {
  await using planner = await Planner.open();
  await using duckdb = await original();
  for (const [view, count] of [["columns", 8], ["tables", 4]] as const) {
    const sql = `SELECT * FROM information_schema.${view}`;
    const { columns, rows } = await answer(planner, sql);
    assert.deepEqual(columns, (await duckdb.read(sql)).columns.slice(0, count));
    const tables = rows.map(([catalog, schema, table]) => {
      assert.deepEqual([catalog, schema], ["logvend", "main"]);
      return String(table);
    });
    assert.deepEqual(new Set(tables), new Set(TABLES.map(({ name }) => name)));
    const described = await answer(planner, `DESCRIBE information_schema.${view}`);
    assert.deepEqual(
      described.rows.map(([name, type]) => ({ name, type })),
      columns,
    );
  }
});

Deno.test("a column that * leaves out is in the catalog for SQL that names it", async () => {
  await using planner = await Planner.open();
  const named = async (sql: string) => (await answer(planner, sql)).rows.map(([name]) => name);
  const all = "SELECT column_name FROM information_schema.columns";
  assert.equal((await named(all)).includes("line_bytes"), false);
  assert.equal((await named("DESCRIBE logs")).includes("line_bytes"), false);
  assert.deepEqual(await named(`${all} WHERE column_name = 'line_bytes'`), ["line_bytes"]);
  assert.deepEqual(await named("DESCRIBE SELECT line_bytes FROM logs"), ["line_bytes"]);
});

Deno.test("the clock stands still, and the answer's columns keep their names", async () => {
  await using planner = await Planner.open();
  const { columns, rows } = await answer(
    planner,
    "SELECT now(), current_date FROM information_schema.tables LIMIT 1",
  );
  assert.deepEqual(columns.map(({ name }) => name), ["now()", "current_date"]);
  assert.deepEqual(rows.map(String), ["2026-11-22 19:00:00.25+00,2026-11-22"]);
});

Deno.test("SQL that does not bind shows where, and the columns that there are", async () => {
  await using planner = await Planner.open();
  const check = async (sql: string, expected: RegExp) =>
    await assert.rejects(planOf(planner, sql), { code: "bad_sql", message: expected });
  await check(
    "SELECT table_nam\nFROM information_schema.columns",
    /"table_nam" not found[^]*"table_name"[^]*\n {2}at 1:8\n {2}SELECT table_nam\n {9}\^$/,
  );
  await check("DESCRIBE SELECT stats FROM logs", /"status"[^]*\n {2}at 1:17\n/);
  await check("SELECT domain_name FROM information_schema.columns", /"domain_name" not found/);
  await check("SELECT sum(table_name) FROM information_schema.tables", /No function matches/);
});
