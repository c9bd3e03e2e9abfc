/** reach.ts: what a query's conditions leave to be read; never less than what they match. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { within } from "../../../../queries/plan/reach.ts";
import type { Reach } from "../../../../queries/plan/reach.ts";
import { accessTables } from "../../../harness/tables.ts";
import { times } from "../../../harness/seed.ts";

const NOW = "2026-11-22T19:00:00.000Z";

async function withReach(check: (reach: (sql: string) => Promise<Reach>) => Promise<void>) {
  await using planner = await Planner.open();
  const range = { since: null, until: null, implied: true };
  await check(async (sql) => {
    const tables = accessTables("logs");
    return (await planner.plan({ sql, tables, now: NOW, range, rowsMax: 1_000 })).reach;
  });
}

/** The second that any edge is wide of the constant. */
function at(iso: string, seconds: number): string {
  return new Date(Date.parse(iso) + seconds * 1_000).toISOString();
}

Deno.test("conditions on the time bound what is read, a little wider than they say", async () => {
  await withReach(async (reach) => {
    const check = async (where: string, since: string | null, until: string | null) => {
      const { since: from, until: to } = await reach(`SELECT count(*) FROM logs WHERE ${where}`);
      assert.deepEqual({ from, to }, { from: since, to: until }, where);
    };
    const day = "2026-11-21T00:00:00Z";
    await check("ts >= '2026-11-21'", at(day, -1), null);
    await check("'2026-11-21' > time_local", null, at(day, 1));
    await check("NOT ts >= '2026-11-21'", null, at(day, 1));
    await check("ts > now() - INTERVAL 1 HOUR", at("2026-11-22T18:00:00Z", -1), null);
    await check(
      "ts BETWEEN '2026-11-21' AND TIMESTAMP '2026-11-21 03:00'",
      at(day, -1),
      at("2026-11-21T03:00:00Z", 1),
    );
    await check("ts::DATE = current_date - 1", at(day, -86_401), at(day, 86_401));
    await check("date_trunc('hour', ts) = '2026-11-21'", at(day, -3_601), at(day, 3_601));
    await check(
      "ts IN ('2026-11-21', '2026-11-22') AND status = 200",
      at(day, -1),
      at(day, 86_401),
    );
    await check("ts >= '2026-11-20' AND ts >= '2026-11-21'", at(day, -1), null);
    await check("ts::TIMESTAMPTZ >= '2026-11-21 02:00:00+02'", at(day, -1), null);
    await check("ts::TIMESTAMPTZ < '2026-11-21 00:00:00-02'", null, at("2026-11-21T02:00:00Z", 1));
    await check("ts::TIMESTAMPTZ >= '2026-11-21 02:00:00 Europe/Berlin'", null, null);
    const unbounded = [
      "status = 200",
      "ts >= '2026-11-21' OR status = 200",
      "ts - INTERVAL 1 DAY >= '2026-11-21'",
      "ts >= (SELECT max(ts) FROM logs)",
      "ts >= 'infinity'",
      "ts::VARCHAR >= '2026-11-21'",
      "ts >= CAST(repeat('2', 4) || '-01-01' AS TIMESTAMP)",
    ];
    for (const where of unbounded) await check(where, null, null);
  });
});

Deno.test("hosts and regions bound what is read where every mention of a table is bound", async () => {
  await withReach(async (reach) => {
    const check = async (sql: string, expected: Partial<Reach>) => {
      const { hosts, regions } = await reach(sql);
      assert.deepEqual({ hosts, regions }, { hosts: null, regions: null, ...expected }, sql);
    };
    const count = "SELECT count(*) FROM logs";
    await check(`${count} WHERE host = 'web-1'`, { hosts: ["web-1"] });
    await check(`${count} l WHERE 'web-1' = l.host AND region IN ('eu', 'us')`, {
      hosts: ["web-1"],
      regions: ["eu", "us"],
    });
    await check(`${count} WHERE host IN ('a', 'b') AND host = 'b'`, { hosts: ["b"] });
    await check(`${count} WHERE host = 'a' AND host = 'b'`, { hosts: [] });
    await check(`${count} WHERE host = 'a' OR host = 'b'`, {});
    await check(`${count} WHERE host <> 'a'`, {});
    await check(`${count} WHERE host = upper('a')`, {});
    await check(`SELECT (${count} WHERE host = 'a') + (${count} WHERE host = 'b')`, {
      hosts: ["a", "b"],
    });
    await check(`SELECT (${count} WHERE host = 'a') + (${count})`, {});
    await check(
      "SELECT count(*) FROM logs a LEFT JOIN logs b USING (request) " +
        "WHERE a.host = 'x' AND b.host = 'y'",
      {},
    );
    await check("SELECT host = 'a' FROM logs", {});
  });
});

Deno.test("no row that a query matches lies beyond its reach", async () => {
  const START_MS = Date.parse("2026-11-20T00:00:00Z");
  const hour = fc.integer({ min: -24, max: 96 });
  const instant = hour.map((h) => new Date(START_MS + h * 1_800_000).toISOString().slice(0, 19));
  const side = fc.constantFrom("ts", "time_local", "ts::DATE", "date_trunc('day', ts)");
  const value = fc.oneof(
    instant.map((text) => `'${text.replace("T", " ")}'`),
    instant.map((text) => `TIMESTAMPTZ '${text}+00'`),
    instant.map((text) => `DATE '${text.slice(0, 10)}'`),
    hour.map((h) => `now() - INTERVAL ${Math.abs(h)} HOUR`),
  );
  const comparison = fc.tuple(side, fc.constantFrom("<", "<=", ">", ">=", "="), value)
    .map(([left, sign, right]) => `${left} ${sign} ${right}`);
  const mirrored = fc.tuple(value, fc.constantFrom("<", "<=", ">", ">=", "="), side)
    .map((parts) => parts.join(" "));
  const between = fc.tuple(side, value, value).map(([a, b, c]) => `${a} BETWEEN ${b} AND ${c}`);
  const listed = fc.tuple(side, value, value).map(([a, b, c]) => `${a} IN (${b}, ${c})`);
  const where = fc.array(fc.oneof(comparison, mirrored, between, listed), {
    minLength: 1,
    maxLength: 3,
  }).map((parts) => parts.join(" AND "));
  await using engine = await Engine.open();
  await engine.run(
    `CREATE TABLE logs AS SELECT ts, ts AS time_local, epoch_us(ts) AS us FROM (SELECT unnest(
       generate_series(TIMESTAMP '2026-11-19', TIMESTAMP '2026-11-23', INTERVAL 10 MINUTE)) AS ts)`,
  );
  await withReach(async (reach) => {
    await fc.assert(
      fc.asyncProperty(where, async (condition) => {
        const { since, until } = await reach(`SELECT count(*) FROM logs WHERE ${condition}`);
        const frozen = condition.replaceAll("now()", `TIMESTAMPTZ '${NOW.slice(0, 19)}+00'`);
        const { rows } = await engine.read(`SELECT min(us), max(us) FROM logs WHERE ${frozen}`);
        const [[first, last] = []] = rows;
        if (first === null || first === undefined) return;
        assert.ok(since === null || Number(first) / 1_000 >= Date.parse(since), condition);
        assert.ok(until === null || Number(last) / 1_000 < Date.parse(until), condition);
      }),
      { numRuns: times(150) },
    );
  });
});

Deno.test("the part of a range that is reached is the smaller of both", () => {
  const [a, b] = ["2026-11-21T00:00:00Z", "2026-11-22T00:00:00.000Z"];
  assert.deepEqual(within({ since: a, until: null }, { since: b, until: b }), {
    since: b,
    until: b,
  });
  assert.deepEqual(within({ since: b, until: a }, { since: a, until: b }), { since: b, until: a });
  const none = { since: null, until: null };
  assert.deepEqual(within(none, { since: a, until: null }), { since: a, until: null });
  assert.deepEqual(within({ since: a, until: b }, none), { since: a, until: b });
});

Deno.test("conditions on the line say texts that it must have", async () => {
  await withReach(async (reach) => {
    const check = async (where: string, ...texts: string[]) => {
      const { lines } = await reach(`SELECT count(*) FROM logs WHERE ${where}`);
      assert.deepEqual(lines["logs"]?.texts ?? [], texts, where);
    };
    await check("line LIKE '%time_out of%fetch%'", "time", "out of", "fetch");
    await check("contains(line, ' 404 ') AND line LIKE '%Firefox%'", " 404 ", "Firefox");
    await check("line LIKE '%a%' OR status = 200");
    await check("line NOT LIKE '%abc%'");
    await check("line ILIKE '%abc%'");
    await check("line LIKE '%'");
    await check("line LIKE '%ab$%c%' ESCAPE '$'");
    await check("request LIKE '%abc%'");
    await check("line LIKE request");
    const both = "SELECT (SELECT count(*) FROM logs WHERE line LIKE '%abc%'), count(*) FROM logs";
    assert.deepEqual((await reach(both)).lines, {});
  });
});

Deno.test("texts suffice where nothing else is asked of the line", async () => {
  await withReach(async (reach) => {
    const check = async (suffice: boolean, where: string, what = "count(*)") => {
      const { lines } = await reach(`SELECT ${what} FROM logs WHERE ${where}`);
      assert.equal(lines["logs"]?.suffice, suffice, `${what} ${where}`);
    };
    await check(true, "line LIKE '%abc%'");
    await check(true, "line LIKE '%abc%' AND contains(line, 'd e') AND status = 200", "request");
    await check(false, "line LIKE '%abc'");
    await check(false, "line LIKE '%a%b%'");
    await check(false, "line LIKE '%a_b%'");
    await check(false, "line LIKE '%abc%' AND line NOT LIKE '%def%'");
    await check(false, "line LIKE '%abc%' AND (line LIKE '%d%' OR status = 200)");
    await check(false, "line LIKE '%abc%'", "line");
    await check(false, "line LIKE '%abc%'", "max(length(logs.line))");
    await check(false, "line LIKE '%abc%'", "*");
    await check(false, "line LIKE '%abc%'", "count(logs)");
    const other = "(SELECT count(*) FROM logs WHERE line LIKE '%abc%' AND status = 200)";
    await check(false, "line LIKE '%abc%'", other);
  });
});

Deno.test("conditions on columns say which texts their rows have", async () => {
  await withReach(async (reach) => {
    const check = async (sql: string, texts: Record<string, string[]>) => {
      const { logs = {} } = (await reach(sql)).values;
      assert.deepEqual(logs, texts, sql);
    };
    const where = (condition: string) => `SELECT count(*) FROM logs WHERE ${condition}`;
    await check(where("remote_addr = '192.0.2.7'"), { remote_addr: ["192.0.2.7"] });
    await check(where("remote_addr IN ('a', 'b') AND 'b' = remote_addr AND status = 200"), {
      remote_addr: ["b"],
    });
    await check(where("remote_addr = 'a' OR status = 200"), {});
    await check(where("NOT remote_addr = 'a'"), {});
    await check(where("lower(remote_addr) = 'a'"), {});
    await check(where("status = 200"), {});
    const a = "SELECT request FROM logs WHERE remote_addr = 'a'";
    await check(`${a} UNION ALL SELECT request FROM logs WHERE remote_addr = 'b'`, {
      remote_addr: ["a", "b"],
    });
    await check(`${a} UNION ALL SELECT request FROM logs`, {});
  });
});

Deno.test("counting rows and asking for their first and last time needs no column", async () => {
  await withReach(async (reach) => {
    const check = async (sql: string, expected: boolean) =>
      assert.equal((await reach(sql)).countsOnly, expected, sql);
    await check("SELECT count(*) FROM logs", true);
    await check("SELECT count(*) AS n, min(l.ts), max(ts) - min(ts) AS d FROM logs AS l", true);
    await check("SELECT count(ts) + 1 FROM logs", true);
    await check("SELECT count(*) FROM logs WHERE status = 200", false);
    await check("SELECT count(*) FROM logs GROUP BY host", false);
    await check("SELECT count(*) FILTER (ts > '2026-11-21') FROM logs", false);
    await check("SELECT count(DISTINCT ts) FROM logs", false);
    await check("SELECT count(*), max(status) FROM logs", false);
    await check("SELECT count(*), any_value(ts) FROM logs", false);
    await check("SELECT count(*) FROM logs AS a, logs AS b", false);
    await check("SELECT ts FROM logs", false);
  });
});
