import { accessTables } from "../../../harness/tables.ts";
import assert from "node:assert/strict";
import { Planner } from "../../../../queries/plan/planner.ts";
import { EVERYWHERE } from "../../../../queries/plan/reach.ts";
import type { Plan } from "../../../../queries/plan/plan.ts";
import type { PlanRequest } from "../../../../queries/plan/planner.ts";

const SINCE = "2026-11-21T19:00:00Z";

function request(sql: string, more: Partial<PlanRequest> = {}): PlanRequest {
  return {
    sql,
    tables: accessTables("logs"),
    now: "2026-11-22T19:00:00.250Z",
    range: { since: SINCE, until: null, implied: true },
    rowsMax: 1_000,
    ...more,
  };
}

async function withPlanner(check: (plan: (sql: string) => Promise<Plan>) => Promise<void>) {
  await using planner = await Planner.open();
  await check((sql) => planner.plan(request(sql)));
}

Deno.test("aggregates are split; hosts ship groups, the merge gives the answer's columns", async () => {
  await withPlanner(async (plan) => {
    const sql =
      "SELECT status, count(*) AS requests, avg(request_time) FROM logs WHERE status > 99 GROUP BY 1";
    assert.deepEqual(await plan(sql), {
      mode: "aggregate",
      reason: null,
      tables: ["logs"],
      isHeavy: false,
      columnsRead: {
        logs: [{ name: "status", type: "INTEGER" }, { name: "request_time", type: "DOUBLE" }],
      },
      range: { since: SINCE, until: null },
      reach: EVERYWHERE,
      partials: [{
        table: "partial",
        sql: "SELECT status AS __k0, count_star() AS __p0, sum(request_time) AS __p1, " +
          "count(request_time) AS __p2 FROM logs WHERE (status > 99) GROUP BY 1",
        columns: [
          { name: "__k0", type: "INTEGER" },
          { name: "__p0", type: "BIGINT" },
          { name: "__p1", type: "DOUBLE" },
          { name: "__p2", type: "BIGINT" },
        ],
      }],
      mergeSql:
        'SELECT "partial".__k0 AS status, CAST(COALESCE(sum("partial".__p0), 0) AS BIGINT) AS requests, ' +
        '(CAST(sum("partial".__p1) AS DOUBLE) / sum("partial".__p2)) AS "avg(request_time)" ' +
        'FROM "partial" GROUP BY "partial".__k0',
      columns: [
        { name: "status", type: "INTEGER" },
        { name: "requests", type: "BIGINT" },
        { name: "avg(request_time)", type: "DOUBLE" },
      ],
    });
  });
});

Deno.test("a plan that is known already still has the range and the clock of its own request", async () => {
  await using planner = await Planner.open();
  const ask = async (sql: string, since: string, now: string) => {
    const range = { since, until: null, implied: true };
    const { range: read, partials } = await planner.plan({ ...request(sql), range, now });
    return [read.since, partials[0]?.sql];
  };
  const [early, late] = ["2026-11-22T10:00:00.000Z", "2026-11-22T11:00:00.000Z"];
  const plain = "SELECT count(*) FROM logs";
  const [, partial] = await ask(plain, early, late);
  assert.deepEqual(await ask(plain, late, late), [late, partial]);
  const bounded = "SELECT count(*) FROM logs WHERE ts > '2026-01-01'";
  assert.equal((await ask(bounded, early, late))[0], null);
  assert.equal((await ask(bounded, late, late))[0], null);
  const clock = "SELECT count(*) FROM logs WHERE ts > now() - INTERVAL 1 HOUR";
  assert.notEqual((await ask(clock, early, early))[1], (await ask(clock, early, late))[1]);
});

Deno.test("ORDER BY with LIMIT ships the first rows of each host, OFFSET included", async () => {
  await withPlanner(async (plan) => {
    const { mode, partials, mergeSql } = await plan(
      "SELECT upper(host) AS h, line FROM logs ORDER BY h, 2 LIMIT 10 OFFSET 5",
    );
    assert.equal(mode, "top_k");
    assert.match(partials[0]?.sql ?? "", /ORDER BY h, 2 LIMIT 15\)/);
    assert.deepEqual(partials[0]?.columns.map(({ name }) => name), ["host", "line"]);
    assert.match(mergeSql, /LIMIT 10 OFFSET 5/);
  });
});

Deno.test("rows mode says why, with the place in the SQL", async () => {
  await withPlanner(async (plan) => {
    const check = async (sql: string, reason: string) => {
      const { mode, reason: actual } = await plan(sql);
      assert.deepEqual([mode, actual], ["rows", reason], sql);
    };
    await check(
      "SELECT string_agg(request) FROM logs",
      "string_agg(request) at 1:8 cannot be merged from partial results",
    );
    await check(
      "SELECT status,\n list(line) FROM logs GROUP BY 1",
      "list(line) at 2:2 cannot be merged from partial results",
    );
    await check("SELECT line FROM logs", "it asks for rows without a LIMIT");
    await check("SELECT line FROM logs LIMIT 1001", "LIMIT and OFFSET ask for 1001 rows");
    await check(
      "SELECT random() FROM logs LIMIT 1",
      "random() at 1:8 must run once, where the answer is merged",
    );
    await check(
      "SELECT avg(ts) FROM logs",
      "its groups cannot be computed from partial results",
    );
    await check(
      "SELECT 1 AS __c0 FROM logs LIMIT 1",
      "it uses names such as __c0, which are reserved",
    );
    await check("SELECT 1", "it reads no table");
    await check(
      "SELECT count(*) FROM (SELECT 1 FROM logs)",
      "the subquery in FROM needs the rows themselves",
    );
  });
});

Deno.test("rows mode ships only needed columns of possibly needed rows", async () => {
  await withPlanner(async (plan) => {
    const check = async (sql: string, ...expected: string[]) =>
      assert.deepEqual((await plan(sql)).partials.map((partial) => partial.sql), expected, sql);
    await check(
      "SELECT median(status) FROM logs WHERE host = 'a' AND random() < 0.5",
      "SELECT status, host FROM logs WHERE (host = 'a')",
    );
    await check(
      "SELECT count(DISTINCT host) FROM logs",
      "SELECT host AS __v0, count_star() AS __p0 FROM logs GROUP BY 1",
    );
    await check(
      "SELECT l.line FROM logs l LEFT JOIN rejects r ON r.host = l.host WHERE l.status = 1 AND r.length = 2",
      "SELECT status, host, line FROM logs WHERE (status = 1)",
      "SELECT host, length, line FROM rejects",
    );
    await check(
      "SELECT line FROM logs WHERE status = 1 UNION ALL SELECT line FROM logs WHERE status = 2",
      "SELECT status, line FROM logs WHERE ((status = 1) OR (status = 2))",
    );
    await check(
      "SELECT line FROM logs WHERE status = 1 UNION ALL SELECT line FROM logs",
      "SELECT status, line FROM logs",
    );
    await check(
      "SELECT upper(host) AS c, mad(status) FROM logs WHERE c = 'x' GROUP BY 1",
      "SELECT status, host FROM logs",
    );
    await check(
      "WITH e AS (FROM logs WHERE status >= 500) SELECT mad(request_time) FROM e",
      "SELECT status, request_time FROM logs WHERE (status >= 500)",
    );
  });
});

Deno.test("a line's bytes are no column of *, unless the SQL names them", async () => {
  await withPlanner(async (plan) => {
    const names = async (sql: string) => (await plan(sql)).columns.map(({ name }) => name);
    assert.ok(!(await names("SELECT * FROM logs")).includes("line_bytes"));
    assert.deepEqual(await names("SELECT line_bytes FROM logs"), ["line_bytes"]);
    const all = "SELECT * FROM logs WHERE octet_length(line_bytes) > 3";
    assert.ok((await names(all)).includes("line_bytes"));
    assert.ok((await names("SELECT * FROM logs")).at(-1) === "line");
  });
});

Deno.test("the implied range is dropped when WHERE bounds the time, an asked one never", async () => {
  await using planner = await Planner.open();
  const since = async (where: string, implied = true) => {
    const range = { since: SINCE, until: null, implied };
    const sql = `SELECT count(*) FROM logs ${where}`;
    return (await planner.plan(request(sql, { range }))).range.since;
  };
  assert.equal(await since(""), SINCE);
  assert.equal(await since("WHERE status = 200"), SINCE);
  assert.equal(await since("WHERE ts > now() - INTERVAL 1 WEEK OR status = 200"), SINCE);
  assert.equal(await since("WHERE ts > now() - INTERVAL 1 WEEK"), null);
  assert.equal(
    await since("WHERE status = 200 AND logs.time_local BETWEEN '2026-01-01' AND now()"),
    null,
  );
  assert.equal(await since("WHERE '2026-01-01' <= ts"), null);
  assert.equal(await since("WHERE ts::DATE = today() - 2"), null);
  assert.equal(await since("WHERE date_trunc('day', ts) IN ('2026-01-01')"), null);
  assert.equal(await since("WHERE hour(ts) = 3"), SINCE);
  assert.equal(await since("WHERE ts > now() - INTERVAL 1 WEEK", false), SINCE);
  const until = SINCE;
  const range = { since: "2026-01-01T00:00:00Z", until, implied: true };
  const bounded = await planner.plan(
    request("SELECT 1 FROM logs WHERE ts > '2025-01-01'", { range }),
  );
  assert.deepEqual(bounded.range, { since: null, until });
  const both = "SELECT 1 FROM logs WHERE ts > '2026-01-01' UNION ALL SELECT 1 FROM rejects";
  assert.equal((await planner.plan(request(both))).range.since, SINCE);
  assert.equal((await planner.plan(request(`${both} WHERE ts > '2026-01-01'`))).range.since, null);
});

Deno.test("the clock is read once: every spelling of now becomes one literal", async () => {
  await withPlanner(async (plan) => {
    const { mergeSql, columns } = await plan(
      "SELECT now(), current_timestamp, current_date, today(), localtimestamp, current_time, count(*) FROM logs",
    );
    assert.deepEqual(columns.map(({ name, type }) => `${name} ${type}`), [
      "now() TIMESTAMP WITH TIME ZONE",
      "current_timestamp TIMESTAMP WITH TIME ZONE",
      "current_date DATE",
      "today() DATE",
      "localtimestamp TIMESTAMP",
      "current_time TIME WITH TIME ZONE",
      "count_star() BIGINT",
    ]);
    assert.match(mergeSql, /CAST\('2026-11-22 19:00:00.250\+00' AS TIMESTAMP WITH TIME ZONE\)/);
    assert.match(mergeSql, /CAST\('2026-11-22' AS DATE\) AS "?current_date/);
    await assert.rejects(plan("SELECT age(ts) FROM logs"), /write age\(now\(\)::TIMESTAMP, …\)/);
    await assert.rejects(
      plan("SELECT current_date FROM (SELECT 1 AS current_date)"),
      /also a name/,
    );
  });
});

Deno.test("names of the answer are those of the SQL as written, made distinct", async () => {
  await withPlanner(async (plan) => {
    const names = async (sql: string) => (await plan(sql)).columns.map(({ name }) => name);
    assert.deepEqual(await names("SELECT host, HOST, host AS host_1 FROM logs"), [
      "host",
      "host_1",
      "host_1_1",
    ]);
    assert.deepEqual(await names("SELECT 1e-1, sum(status) FROM logs"), ["0.1", "sum(status)"]);
  });
});

Deno.test("columns of subqueries keep the names that they have as written, whatever the time is", async () => {
  await withPlanner(async (plan) => {
    const inner = "(SELECT now(), today() AS d, current_date, ts > current_timestamp FROM logs)";
    const { columns, mergeSql } = await plan(`SELECT t FROM ${inner} t`);
    assert.equal(
      columns[0]?.type,
      'STRUCT("now()" TIMESTAMP WITH TIME ZONE, d DATE, current_date DATE, ' +
        '"(ts > current_timestamp)" BOOLEAN)',
    );
    assert.doesNotMatch(mergeSql, /AS STRUCT/);
    const lost = "ts < '2026-11-22 19:00+00'::TIMESTAMPTZ - INTERVAL 30 MINUTE";
    const row = (item: string) => plan(`SELECT t FROM (SELECT count_if(${item}) FROM logs) t`);
    await assert.rejects(row(lost), {
      code: "bad_sql",
      message: /name the columns of its subquery/,
    });
    await plan(`SELECT t FROM (SELECT count_if(${lost}) AS n FROM logs) t`);
    const named = await plan(`SELECT "now()", "current_date" FROM ${inner}`);
    assert.deepEqual(named.columns.map(({ name }) => name), ["now()", "current_date"]);
  });
});

Deno.test("SQL that does not bind shows DuckDB's message and the place", async () => {
  await withPlanner(async (plan) => {
    await assert.rejects(plan("SELECT host,\n  foo\nFROM logs"), {
      code: "bad_sql",
      message:
        'Referenced column "foo" not found in FROM clause!\nCandidate bindings: "host", "region"\n  at 2:3\n    foo\n    ^',
    });
    await assert.rejects(plan("SELECT rowid FROM logs"), { code: "bad_sql" });
    await assert.rejects(plan("SELECT host, count(*) FROM logs"), /GROUP BY/);
    await assert.rejects(plan("SELECT * FROM other"), /there are logs, rejects/);
  });
});

Deno.test("an alias that is also a column keeps the meaning it has in DuckDB", async () => {
  await withPlanner(async (plan) => {
    const grouped = await plan(
      "SELECT date_trunc('hour', ts) AS ts, count(*) FROM logs GROUP BY 1 ORDER BY ts",
    );
    assert.equal(grouped.mode, "aggregate");
    assert.match(grouped.mergeSql, /ORDER BY "partial".__k0/);
    const shadowed = await plan(
      "SELECT host, max(status) AS status FROM logs GROUP BY host, logs.status HAVING status > 3",
    );
    assert.equal(shadowed.mode, "rows");
  });
});

Deno.test("the tables of sound SQL are known before its plan, those of unsound SQL never", async () => {
  await using planner = await Planner.open();
  let planned = false;
  const { tables, plan } = await planner.start(request("SELECT status FROM logs ORDER BY ts"));
  plan.then(() => planned = true);
  assert.deepEqual(tables, ["logs"]);
  assert.equal(planned, false);
  assert.deepEqual((await plan).tables, ["logs"]);
  await assert.rejects(planner.start(request("SELECT nothing FROM logs")), /nothing/);
});

Deno.test("calls that overlap do not disturb each other, nor do failed ones", async () => {
  await using planner = await Planner.open();
  const plans = await Promise.allSettled([
    planner.plan(request("SELECT count(*) FROM logs")),
    planner.plan(request("SELEC")),
    planner.plan(request("SELECT reason FROM rejects LIMIT 1")),
    planner.plan(request("SELECT x FROM web", { tables: accessTables("web") })),
    planner.plan(request("SELECT max(status) FROM web", { tables: accessTables("web") })),
  ]);
  assert.deepEqual(
    plans.map((plan) => plan.status === "fulfilled" ? plan.value.mode : plan.reason.code),
    ["aggregate", "bad_sql", "top_k", "bad_sql", "aggregate"],
  );
});

Deno.test("no type of a column reaches the file system, whoever sent it", async () => {
  await using planner = await Planner.open();
  const folder = await Deno.makeTempDir();
  try {
    const type = `INTEGER) AS x; COPY (SELECT 1) TO '${folder}/made'; SELECT (NULL`;
    const table = { name: "t", columns: [{ name: "a", type }] };
    const range = { since: null, until: null, implied: false };
    for (const more of [{ tables: [table] }, { broadcast: [table] }]) {
      await assert.rejects(planner.plan(request("SELECT a FROM t", { range, ...more })));
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
