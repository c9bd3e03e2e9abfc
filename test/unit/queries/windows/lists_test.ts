/** The lists of windows over an afternoon that can be counted by hand, and what users' lists may be. */
import assert from "node:assert/strict";
import { LogvendError } from "../../../../protocol/errors.ts";
import type { Column } from "../../../../protocol/wire/messages.ts";
import { identifier } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import {
  columnsOfLists,
  compileList,
  compileRows,
  WINDOW_ROWS,
  windowSelect,
} from "../../../../queries/windows/compile.ts";
import { parseWindowList } from "../../../../queries/windows/header.ts";
import { LIST_NAMES, windowLists } from "../../../../queries/windows/lists.ts";
import { TRAFFIC } from "../library/traffic.ts";

const WHOLE = { start: "2026-11-22T17:00:00Z", end: "2026-11-22T19:00:00Z" };

/** An engine with the rows of some windows. */
async function engineWithRows(): Promise<Engine> {
  const engine = await Engine.open();
  await engine.run("SET errors_as_json = true");
  const list = TRAFFIC.columns.map(({ name, type }) => `${identifier(name)}::${type} AS ${name}`);
  await engine.run(
    `CREATE TABLE ${identifier(WINDOW_ROWS)} AS SELECT ${list} FROM (${TRAFFIC.sql})`,
  );
  return engine;
}

/** What a list says of a window, its least and top taken as they are when not given. */
async function answers(name: typeof LIST_NAMES[number], change = {}, span = WHOLE) {
  await using engine = await engineWithRows();
  const [list] = windowLists([name]);
  const compiled = await compileList(engine, { ...list!, ...change }, TRAFFIC.columns);
  assert.ok(compiled !== null);
  const { rows } = await engine.read(windowSelect([compiled], span));
  return rows.map(([, value, count, more]) =>
    more === null ? [value, Number(count)] : [value, Number(count), JSON.parse(String(more))]
  );
}

Deno.test("every list of a window says what can be counted by hand", async () => {
  assert.deepEqual(await answers("total"), [[null, 18, { bytes: 15_130 }]]);
  assert.deepEqual(await answers("status"), [
    ["200", 7],
    ["404", 3],
    ["429", 2],
    ["503", 2],
    ["304", 1],
    ["401", 1],
    ["403", 1],
    ["500", 1],
  ]);
  assert.deepEqual(await answers("address"), [["10.0.0.2", 7], ["10.0.0.1", 6], ["10.0.0.3", 4]]);
  assert.deepEqual(await answers("user_agent"), [["curl/8.5", 7], ["firefox", 7], [
    "ExampleBot/1.0",
    4,
  ]]);
  assert.deepEqual(await answers("path"), [["/api/users/:id", 5], ["/shop/:id", 3]]);
  assert.deepEqual(await answers("path", { least: 1 }).then((rows) => rows.slice(2)), [
    ["/", 2],
    ["/admin", 2],
    ["/wp-login.php", 2],
    ["/café", 1],
    ["/files/manual.pdf", 1],
    ["/robots.txt", 1],
    ["/shop/:id/%FF", 1],
  ]);
  assert.deepEqual(await answers("missing_path", { least: 2 }), [["/wp-login.php", 2]]);
  assert.deepEqual(await answers("missing_path_address"), [["10.0.0.2", 3]]);
  assert.deepEqual(await answers("unauthorized_address", { least: 1 }), [["10.0.0.2", 2]]);
  assert.deepEqual(await answers("throttled_address", { least: 1 }), [["10.0.0.2", 2]]);
  const [[, count, { within, ...latency }] = []] = await answers("latency");
  assert.deepEqual([count, latency], [
    17,
    { p50_s: 0.1, p95_s: 4, p99_s: 4, max_s: 4, sum_s: 12.4 },
  ]);
  assert.deepEqual([within.ms_50, within.ms_100, within.ms_2500, within.ms_5000], [0, 10, 15, 17]);
  assert.deepEqual(await answers("place"), [
    ["DE/Berlin", 6, { country: "DE", city: "Berlin", sample: "10.0.0.1" }],
    ["US", 4, { country: "US", city: null, sample: "10.0.0.3" }],
  ]);
});

Deno.test("a window has its own rows only, and lists only what is enough", async () => {
  const minute = { start: "2026-11-22T18:10:00Z", end: "2026-11-22T18:10:05Z" };
  assert.deepEqual(await answers("status", {}, minute), [["404", 3], ["401", 1], ["403", 1]]);
  assert.deepEqual(await answers("status", { top: 1 }, minute), [["404", 3]]);
  assert.deepEqual(await answers("latency", {}, { start: WHOLE.end, end: WHOLE.end }), []);
});

Deno.test("lists share one reading of the columns that they need, and those without them are left out", async () => {
  await using engine = await engineWithRows();
  const without = TRAFFIC.columns.filter(({ name }) => !name.startsWith("geo_"));
  const compiled: Awaited<ReturnType<typeof compileList>>[] = [];
  for (const list of windowLists()) compiled.push(await compileList(engine, list, without));
  const lists = compiled.filter((list) => list !== null);
  assert.deepEqual(LIST_NAMES.filter((_, i) => compiled[i] === null), ["place"]);
  assert.deepEqual(columnsOfLists(lists).map(({ name }) => name).sort(), [
    "body_bytes_sent",
    "http_user_agent",
    "remote_addr",
    "request",
    "request_time",
    "status",
    "ts",
  ]);
  const { rows } = await engine.read(windowSelect(lists, WHOLE));
  assert.equal(rows.length, 1 + 8 + 3 + 3 + 2 + 1 + 1);
});

Deno.test("a status that is a text is nothing to count by", async () => {
  await using engine = await engineWithRows();
  const check = async (type: string) => {
    const columns: Column[] = [{ name: "ts", type: "TIMESTAMP" }, { name: "status", type }];
    return await compileList(engine, windowLists(["status"])[0]!, columns) !== null;
  };
  assert.equal(await check("SMALLINT"), true);
  assert.equal(await check("BIGINT"), true);
  assert.equal(await check("VARCHAR"), false);
});

const OWN = `-- title: Slow pages
-- group: slow_path
-- top: 2
-- least: 1
-- column value VARCHAR: the path
SELECT request AS value, count(*) AS count, max(request_time) AS slowest_s
FROM logs WHERE request_time >= 1 GROUP BY request`;

Deno.test("a list of a user's own is counted like the others", async () => {
  await using engine = await engineWithRows();
  const list = parseWindowList("slow.sql", OWN);
  assert.deepEqual({ ...list, sql: "" }, {
    group: "slow_path",
    title: "Slow pages",
    top: 2,
    least: 1,
    stream: "logs",
    needs: null,
    sql: "",
  });
  const compiled = await compileList(engine, list, TRAFFIC.columns);
  assert.ok(compiled !== null);
  assert.deepEqual(compiled.columns.map(({ name }) => name), ["request", "request_time"]);
  const { rows } = await engine.read(windowSelect([compiled], WHOLE));
  assert.deepEqual(rows, [
    [0, "/api/users/2", 2n, '{"slowest_s":4.0}'],
    [0, "/files/manual.pdf?v=2", 1n, '{"slowest_s":1.5}'],
  ]);
});

Deno.test("SQL that a window cannot have is refused with a reason", async () => {
  await using engine = await engineWithRows();
  const check = async (sql: string, message: RegExp) => {
    const list = { ...parseWindowList("own.sql", OWN), sql };
    await assert.rejects(compileList(engine, list, TRAFFIC.columns), (error) => {
      assert.ok(error instanceof LogvendError && error.code === "bad_sql");
      assert.match(error.message, message);
      return true;
    });
  };
  await check("SELECT 1 AS n FROM logs", /gives a column count/);
  await check("SELECT count(*) AS count FROM logs WHERE ts > now()", /no place in a window/);
  await check("SELECT count(*) AS count FROM read_text('/etc/passwd')", /not allowed in FROM/);
  await check(`SELECT count(*) AS count FROM ${identifier(WINDOW_ROWS)}`, /There is no table/);
  await check("SELECT count(*) AS count FROM logs; SELECT 1", /Exactly one SELECT/);
  await check("SELECT count(colour) AS count FROM logs", /colour/);
  await assert.rejects(
    compileRows(engine, "SELECT now() FROM logs", { stream: "logs", columns: TRAFFIC.columns }),
    /no place in a window/,
  );
});

Deno.test("a header that is none is said to be, with what is wanted", () => {
  const check = (from: string | RegExp, to: string, message: RegExp) =>
    assert.throws(() => parseWindowList("own.sql", OWN.replace(from, to)), message);
  check("-- group: slow_path", "-- group: Slow Path", /own\.sql: wanted -- group: NAME/);
  check("-- group: slow_path\n", "", /own\.sql: wanted -- group: NAME/);
  check("-- top: 2", "-- top: 1000", /own\.sql: -- top: 1000; wanted a whole number from 1 to 100/);
  check("-- least: 1", "-- least: none", /-- least: none; wanted a whole number/);
  check("-- least: 1", "-- lesat: 1", /own\.sql: "-- lesat: 1"; a header has/);
  check("-- least: 1", "-- top: 1", /own\.sql: "-- top: 1"; a header has/);
  check(/SELECT[^]*/, "", /own\.sql: no SELECT under the header/);
});

Deno.test("rows come as JSON, in an order of their own, one more than may be", async () => {
  await using engine = await engineWithRows();
  const select = "SELECT status, request FROM logs WHERE status >= 500";
  const { select: sql, columns } = await compileRows(engine, select, {
    stream: "logs",
    columns: TRAFFIC.columns,
  });
  assert.deepEqual(columns.map(({ name }) => name), ["ts", "request", "status"]);
  const { rows } = await engine.read(sql(WHOLE, 10));
  assert.deepEqual(rows.flat(), [
    '{"status":500,"request":"/shop/13"}',
    '{"status":503,"request":"/api/users/2"}',
    '{"status":503,"request":"/api/users/2"}',
  ]);
  assert.equal((await engine.read(sql(WHOLE, 1))).rows.length, 2);
});

Deno.test("all lists together, each of them full, are at most a hundred events", () => {
  const most = windowLists().map(({ group, top }) =>
    ["total", "latency"].includes(group) ? 1 : top
  );
  assert.ok(most.reduce((sum, events) => sum + events, 0) <= 100);
});

Deno.test("a user agent that is very long makes no long event", async () => {
  await using engine = await engineWithRows();
  await engine.run(
    `UPDATE ${identifier(WINDOW_ROWS)} SET http_user_agent = repeat('x', 8000) || status`,
  );
  const [list] = windowLists(["user_agent"]);
  const compiled = await compileList(engine, list!, TRAFFIC.columns);
  assert.ok(compiled !== null);
  const { rows } = await engine.read(windowSelect([compiled], WHOLE));
  assert.deepEqual(rows.map(([, value, count]) => [String(value), Number(count)]), [
    ["x".repeat(256), 18],
  ]);
});

Deno.test("rows and fields are JSON that every reader reads: no NaN, no number that it would round", async () => {
  await using engine = await engineWithRows();
  const sql = "SELECT 'nan'::DOUBLE AS nothing, 'inf'::FLOAT AS more, 0.5::DOUBLE AS half, " +
    "9007199254740993::BIGINT AS long, 7::BIGINT AS short, 1.5::DECIMAL(4,1) AS price, " +
    "12345678901234567.5::DECIMAL(20,1) AS exact, NULL::BIGINT AS none FROM logs LIMIT 1";
  const rows = await compileRows(engine, sql, { stream: "logs", columns: TRAFFIC.columns });
  const expected = {
    ...{ nothing: null, more: null, half: 0.5, long: "9007199254740993", short: 7 },
    ...{ price: 1.5, exact: "12345678901234567.5", none: null },
  };
  const { rows: [row] } = await engine.read(rows.select(WHOLE, 10));
  assert.deepEqual(JSON.parse(String(row?.[0])), expected);
  const list = parseWindowList(
    "own.sql",
    "-- group: own\nSELECT count(*) AS count, 'nan'::DOUBLE AS mean, 2.5::DOUBLE AS most FROM logs",
  );
  const compiled = await compileList(engine, list, TRAFFIC.columns);
  assert.ok(compiled !== null);
  const { rows: [event] } = await engine.read(windowSelect([compiled], WHOLE));
  assert.deepEqual(JSON.parse(String(event?.[3])), { mean: null, most: 2.5 });
});

Deno.test("`*` gives what it gives in queries: the line, and not its bytes once more", async () => {
  await using engine = await engineWithRows();
  const columns: Column[] = [...TRAFFIC.columns, { name: "line_bytes", type: "BLOB" }];
  const compiled = async (sql: string) =>
    (await compileRows(engine, sql, { stream: "logs", columns })).columns;
  const names = async (sql: string) => (await compiled(sql)).map(({ name }) => name);
  assert.ok(!(await names("SELECT * FROM logs")).includes("line_bytes"));
  assert.ok((await names("SELECT line_bytes FROM logs")).includes("line_bytes"));
});
