/** SQL that reads anything but the tables it may read is refused, with the rule and the place. */
import assert from "node:assert/strict";
import { LogvendError } from "../../../protocol/errors.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { admit, DEPTH_MAX, NODES_MAX } from "../../../queries/gate.ts";
import { AGGREGATES, exclusionOf, SCALARS } from "../../../queries/gate_functions.ts";

const TABLES = ["logs", "rejects"];

const ONLY_DESCRIBE = /Only SHOW TABLES and DESCRIBE of a table or a SELECT are allowed/;
const NOT_WITH_LOGS =
  /The catalog \(.*\) cannot be joined with logs: ask for the one, then for the/;

/** SQL, and what the refusal says. */
const ATTACKS: readonly (readonly [string, RegExp])[] = [
  // Not one SELECT
  ["DROP TABLE logs", /Only SELECT/],
  ["DELETE FROM logs", /Only SELECT/],
  ["INSERT INTO logs SELECT * FROM logs", /Only SELECT/],
  ["UPDATE logs SET status = 1", /Only SELECT/],
  ["CREATE TABLE x AS SELECT 1", /Only SELECT/],
  ["CREATE MACRO f() AS 1", /Only SELECT/],
  ["COPY logs TO '/tmp/x'", /Only SELECT/],
  ["COPY (SELECT 1) TO 'x.parquet'", /Only SELECT/],
  ["EXPORT DATABASE '/tmp/x'", /Only SELECT/],
  ["ATTACH '/tmp/x.db'", /Only SELECT/],
  ["INSTALL httpfs", /Only SELECT/],
  ["LOAD httpfs", /Only SELECT/],
  ["SET memory_limit = '1TB'", /Only SELECT/],
  ["RESET threads", /Only SELECT/],
  ["PRAGMA disable_optimizer", /Only SELECT/],
  ["CALL pragma_version()", /Only SELECT/],
  ["EXPLAIN ANALYZE SELECT 1", /leave it out and ask with --explain/],
  ["CHECKPOINT", /Only SELECT/],
  ["BEGIN", /Only SELECT/],
  ["PREPARE p AS SELECT 1", /Only SELECT/],
  ["EXECUTE p", /Only SELECT/],
  ["USE memory", /Only SELECT/],
  ["SELECT 1; DROP VIEW logs", /Exactly one SELECT|Only SELECT/],
  ["SELECT 1; SELECT 2", /Exactly one SELECT.*\n {2}at 1:11\n/],
  [";SELECT 1;; SELECT a", /Exactly one SELECT.*\n {2}at 1:13\n/],
  ["SELECT ';';\n  FROM logs", /Exactly one SELECT.*\n {2}at 2:3\n/],
  ["DESCRIBE INSERT INTO logs VALUES (1)", /./],
  ["EXPLAIN DESCRIBE logs", /with --explain\n {2}at 1:1\n/],
  ["WITH x AS (DELETE FROM logs RETURNING *) SELECT * FROM x", /CTE needs a SELECT/],
  ["", /./],
  // Files, catalog, settings
  ["SELECT * FROM '/etc/passwd'", /There is no table "\/etc\/passwd"; there are logs, rejects/],
  ["SELECT * FROM 'x.parquet'", /There is no table/],
  ['SELECT * FROM "s3://bucket/x.parquet"', /There is no table/],
  ["SELECT * FROM read_csv('/etc/passwd')", /read_csv\(\) is not allowed in FROM/],
  ["SELECT * FROM read_parquet(['x.parquet'])", /not allowed in FROM/],
  ["SELECT * FROM read_text('/etc/passwd')", /not allowed in FROM/],
  ["SELECT * FROM glob('/*')", /not allowed in FROM/],
  ["SELECT * FROM logs, read_blob('/etc/passwd')", /not allowed in FROM/],
  ["SELECT * FROM logs JOIN LATERAL (FROM read_json(logs.line)) ON true", /not allowed in FROM/],
  ["SELECT (SELECT content FROM read_text('/etc/passwd'))", /not allowed in FROM/],
  ["SELECT * FROM query('SELECT 1')", /not allowed in FROM/],
  ["SELECT * FROM query_table('logs')", /not allowed in FROM/],
  ["SELECT * FROM json_execute_serialized_sql('{}')", /not allowed in FROM/],
  ["SELECT * FROM duckdb_settings()", /not allowed in FROM/],
  ["SELECT * FROM main.range(3)", /not allowed in FROM/],
  ["SELECT * FROM pragma_table_info('logs')", /not allowed in FROM/],
  ["SELECT * FROM duckdb_tables", /There is no table/],
  ["SELECT * FROM sqlite_master", /There is no table/],
  ["SELECT * FROM system.information_schema.tables", /without schema and catalog/],
  ["SELECT * FROM memory.information_schema.columns", /without schema and catalog/],
  ["SELECT * FROM information_schema.schemata", /There is no table "information_schema.schemata"/],
  ["SELECT * FROM pg_catalog.pg_class", /without schema and catalog/],
  ["SELECT * FROM information_schema.tables AT (VERSION => 1)", /AT is not allowed/],
  ["SUMMARIZE logs", ONLY_DESCRIBE],
  ["SELECT * FROM (SUMMARIZE logs)", ONLY_DESCRIBE],
  ["SHOW ALL TABLES", ONLY_DESCRIBE],
  ["SHOW TABLES FROM main", ONLY_DESCRIBE],
  ["SHOW DATABASES", ONLY_DESCRIBE],
  ["SHOW SCHEMAS", ONLY_DESCRIBE],
  ["SHOW VARIABLES", ONLY_DESCRIBE],
  ["SHOW", ONLY_DESCRIBE],
  ["DESCRIBE", ONLY_DESCRIBE],
  ["SHOW memory_limit", /There is no table "memory_limit"/],
  ["DESCRIBE duckdb_settings", /There is no table/],
  ["DESCRIBE '/etc/passwd'", /There is no table/],
  ["DESCRIBE main.logs", /without schema and catalog/],
  ["DESCRIBE FROM read_csv('/etc/passwd')", /read_csv\(\) is not allowed in FROM/],
  ["SELECT * FROM (DESCRIBE SELECT getenv('HOME'))", /There is no function getenv/],
  ["DESCRIBE FROM (DESCRIBE FROM duckdb_settings())", /not allowed in FROM/],
  ["WITH x AS (SELECT 1) FROM (DESCRIBE x)", /There is no table "x"/],
  ["SELECT * FROM logs, information_schema.tables", NOT_WITH_LOGS],
  ["SELECT * FROM logs, (DESCRIBE logs)", NOT_WITH_LOGS],
  ["SELECT (SELECT count(*) FROM (SHOW TABLES)) FROM logs", NOT_WITH_LOGS],
  ["FROM information_schema.tables UNION ALL BY NAME FROM logs", NOT_WITH_LOGS],
  ["WITH l AS (FROM logs) FROM l, information_schema.columns", NOT_WITH_LOGS],
  ["SELECT * FROM main.logs", /without schema and catalog/],
  ["SELECT * FROM memory.main.logs", /without schema and catalog/],
  ["SELECT * FROM logs AT (VERSION => 1)", /AT is not allowed/],
  ["SELECT * FROM secrets", /There is no table/],
  // Names from WITH count only where WITH gives them
  ["SELECT * FROM x, (WITH x AS (SELECT 1) SELECT * FROM x)", /There is no table "x"/],
  ["WITH x AS (SELECT * FROM x) SELECT * FROM x", /There is no table "x"/],
  ["WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", /There is no table "b"/],
  ["(WITH x AS (SELECT 1) SELECT * FROM x) UNION SELECT * FROM x", /There is no table "x"/],
  // Functions
  ["SELECT getenv('HOME')", /There is no function getenv/],
  ["SELECT current_setting('threads')", /current_setting\(\) is not allowed: it shows/],
  ["SELECT getvariable('x')", /not allowed/],
  ["SELECT nextval('s')", /not allowed/],
  ["SELECT sleep_ms(1000)", /it only waits/],
  ["SELECT pg_sleep(10)", /not allowed/],
  ["SELECT setseed(0.5)", /not allowed/],
  ["SELECT write_log('x')", /not allowed/],
  ["SELECT json_structure(line) FROM logs", /end the whole process/],
  ["SELECT count(*) FROM logs WHERE json_contains(line, '1')", /end the whole process/],
  ["SELECT status FROM logs ORDER BY json_merge_patch(line, line)", /end the whole process/],
  ["SELECT json_deserialize_sql(line::JSON) FROM logs", /turns text into SQL/],
  ["SELECT system.main.abs(1)", /without schema and catalog/],
  ["SELECT pg_catalog.pg_get_viewdef(1)", /without schema and catalog/],
  ["SELECT sum(status) EXPORT_STATE FROM logs", /EXPORT_STATE is not allowed/],
  ["SELECT ago(INTERVAL 1 DAY)", /write now\(\)/],
  ["SELECT list_transform([1], lambda x: getenv('HOME'))", /getenv/],
  ["SELECT $1", /Parameters are not allowed/],
  ["SELECT ?", /Parameters are not allowed/],
  ["SELECT '?' || $1", /Parameters are not allowed.*\n {2}at 1:15\n/],
  ["SELECT 'a;b'; -- x\nDROP VIEW logs", /Exactly one SELECT|Only SELECT/],
  ["PIVOT logs ON status USING count(*)", /PIVOT must name its values/],
];

Deno.test("every attack is refused, as bad SQL", async () => {
  await using engine = await Engine.open();
  for (const [sql, expected] of ATTACKS) {
    await assert.rejects(admit(engine, sql, TABLES), (error) => {
      assert.ok(error instanceof LogvendError, `${sql}: ${error}`);
      assert.equal(error.code, "bad_sql");
      assert.match(error.message, expected, sql);
      if (sql !== "") assert.match(error.message, /\n {2}at \d+:\d+\n/, `${sql}: where?`);
      return true;
    }, sql);
  }
});

Deno.test("plain analysis passes, and names its tables", async () => {
  await using engine = await Engine.open();
  const check = async (sql: string, tables: string[]) =>
    assert.deepEqual((await admit(engine, sql, TABLES)).tables.sort(), tables, sql);
  await check("SELECT 1", []);
  await check("FROM logs", ["logs"]);
  await check('SELECT * FROM LOGS AS l, "Rejects" r', ["logs", "rejects"]);
  await check("WITH x AS (SELECT * FROM logs) SELECT * FROM x", ["logs"]);
  await check("WITH logs AS (SELECT * FROM rejects) SELECT * FROM logs", ["rejects"]);
  await check("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) FROM n LIMIT 3", []);
  await check("SELECT * FROM range(3), unnest([1]), generate_series(1, 2)", []);
  await check("VALUES (1), (2)", []);
  await check("PIVOT logs ON status IN (200, 404) USING count(*) GROUP BY host", ["logs"]);
  await check("SELECT {'a': 1}.a, [x + 1 for x in [1, 2]], CASE WHEN 1 IN (2) THEN 3 END", []);
  await check("SELECT line->>'$.user', strftime(ts, '%H'), regexp_extract(line, 'a') FROM logs", [
    "logs",
  ]);
  await check("SELECT DISTINCT ON (host) * FROM logs QUALIFY rank() OVER (ORDER BY ts) = 1", [
    "logs",
  ]);
  await check("SELECT status FROM logs UNION BY NAME SELECT reason FROM rejects ORDER BY ALL", [
    "logs",
    "rejects",
  ]);
});

Deno.test("the catalog passes, and what is only described is not read", async () => {
  await using engine = await Engine.open();
  const check = async (sql: string, expected: { tables: string[]; readsCatalog: boolean }) => {
    const { tables, readsCatalog } = await admit(engine, sql, TABLES);
    assert.deepEqual({ tables, readsCatalog }, expected, sql);
  };
  const none = { tables: [], readsCatalog: true };
  await check("SHOW TABLES", none);
  await check("SELECT * FROM (show tables) AS t(n) WHERE n LIKE 'l%'", none);
  await check(
    "FROM INFORMATION_SCHEMA.Columns JOIN information_schema.tables USING (table_name)",
    none,
  );
  await check("WITH logs AS (FROM information_schema.tables) FROM logs", none);
  const logs = { tables: ["logs"], readsCatalog: true };
  await check("DESCRIBE Logs", logs);
  await check("SHOW logs", logs);
  await check("DESC SELECT host, count(*) FROM logs GROUP BY 1", logs);
  await check("SELECT * FROM (DESCRIBE logs), information_schema.tables", logs);
  await check("DESCRIBE SELECT * FROM logs, information_schema.tables", logs);
  await check("SELECT * FROM logs", { tables: ["logs"], readsCatalog: false });
});

Deno.test("an unknown table says what was probably meant, in SELECT and in DESCRIBE", async () => {
  await using engine = await Engine.open();
  const check = async (sql: string, expected: string) =>
    await assert.rejects(admit(engine, sql, TABLES), (error) => {
      assert.ok(error instanceof LogvendError);
      assert.equal(error.message.split("\n")[0], expected);
      return true;
    });
  const expected = 'There is no table "lgos"; there are logs, rejects. Did you mean logs?';
  await check("SELECT * FROM lgos", expected);
  await check("DESCRIBE lgos", expected);
  await check("SHOW lgos", expected);
  await check(
    "FROM information_schema.colums",
    'There is no table "information_schema.colums"; there are information_schema.columns, ' +
      "information_schema.tables. Did you mean information_schema.columns?",
  );
});

Deno.test("a refusal shows where in the SQL", async () => {
  await using engine = await Engine.open();
  const sql = "SELECT status,\n  'é' AS e, getenv('HOME')\nFROM logs";
  await assert.rejects(admit(engine, sql, TABLES), {
    message: [
      "There is no function getenv() here: use DuckDB's scalar and aggregate functions",
      "  at 2:13",
      "    'é' AS e, getenv('HOME')",
      "              ^",
    ].join("\n"),
  });
});

Deno.test("SQL that is too long, too deep or too large is refused without harm", async () => {
  await using engine = await Engine.open();
  const check = (sql: string, expected: RegExp) =>
    assert.rejects(admit(engine, sql, TABLES), { name: "LogvendError", message: expected });
  await check(`SELECT '${"x".repeat(64 * 1024)}'`, /65536 at most/);
  await check(`SELECT ${"abs(".repeat(DEPTH_MAX)}1${")".repeat(DEPTH_MAX)}`, /nested deeper/);
  await check(`SELECT ${Array(NODES_MAX).fill("1").join(", ")}`, /more than 5000 parts/);
  await check(`SELECT ${Array(30_000).fill("1").join("+")}`, /./);
  await check(`SELECT ${"(".repeat(60_000)}`, /./);
  await check(`SELECT ${"(SELECT ".repeat(2_000)}1${")".repeat(2_000)}`, /./);
  await check(`SELECT ${"[".repeat(20_000)}1${"]".repeat(20_000)}`, /./);
  await check(`SELECT ${"NOT ".repeat(15_000)} true`, /./);
  assert.deepEqual((await admit(engine, "SELECT 1", TABLES)).tables, []);
});

Deno.test("every function of DuckDB is either allowed or left out for a reason", async () => {
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT DISTINCT lower(function_name) FROM duckdb_functions()
      WHERE function_type IN ('scalar', 'aggregate', 'macro')`,
  );
  const names = new Set(rows.map(([name]) => String(name)));
  for (const name of names) {
    const allowed = SCALARS.has(name) || AGGREGATES.has(name);
    assert.notEqual(allowed, exclusionOf(name) !== null, `${name} must be decided, once`);
  }
  for (const name of [...SCALARS, ...AGGREGATES]) {
    assert.ok(names.has(name) || name === "unnest", `DuckDB has no ${name}`);
  }
});
