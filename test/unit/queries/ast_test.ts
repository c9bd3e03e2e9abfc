import assert from "node:assert/strict";
import { fc } from "../../harness/properties.ts";
import { parseSelect, positionText, printSql } from "../../../queries/ast.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";

/** Everything that a SELECT may be made of, each over `t(a INTEGER, b VARCHAR, ts TIMESTAMP)`. */
const STATEMENTS = [
  "SELECT a, count(*) FILTER (WHERE a > 1) FROM t GROUP BY 1 HAVING count(*) > 0 ORDER BY 2, 1 LIMIT 3",
  "SELECT DISTINCT b FROM t ORDER BY b DESC NULLS FIRST OFFSET 1",
  "SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, a",
  "WITH x(n) AS (SELECT a FROM t), y AS (SELECT n + 1 AS m FROM x) SELECT * FROM y ORDER BY m",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
  "SELECT a, (SELECT max(a) FROM t u WHERE u.b = t.b) FROM t ORDER BY ALL",
  "SELECT a FROM t WHERE a IN (SELECT a FROM t) AND EXISTS (SELECT 1) ORDER BY 1",
  "SELECT a, sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY a ROWS 1 PRECEDING) ORDER BY 1",
  "SELECT a, b FROM t QUALIFY row_number() OVER (PARTITION BY b ORDER BY a) = 1 ORDER BY ALL",
  "SELECT b, a % 2, count(*) FROM t GROUP BY GROUPING SETS ((1), (2), ()) ORDER BY ALL",
  "SELECT b, grouping(b), count(*) FROM t GROUP BY CUBE (b) ORDER BY ALL",
  "SELECT b, sum(a) FROM t GROUP BY ALL ORDER BY ALL",
  "SELECT x.a, y.b FROM t x LEFT JOIN t y ON x.a = y.a + 1 ORDER BY ALL",
  "SELECT a, b FROM t SEMI JOIN (SELECT 2 AS a) s USING (a)",
  "SELECT a FROM t UNION SELECT 99 EXCEPT SELECT 1 ORDER BY 1",
  "SELECT * EXCLUDE (ts) REPLACE (a * 2 AS a) FROM t ORDER BY ALL",
  "SELECT list_transform([a, 2], lambda x: x + 1), [y * 2 for y in [1, a]], {'k': a}, MAP {coalesce(b, '-'): a} FROM t ORDER BY a",
  "SELECT CASE b WHEN 'x' THEN 1 ELSE 2 END, a BETWEEN 1 AND 2, b LIKE 'x%', b IS DISTINCT FROM 'y' FROM t ORDER BY a",
  "SELECT 170141183460469231731687303715884105727, -9223372036854775808, 0.1, 1.50, 'it''s', NULL",
  "SELECT '\\xAB'::BLOB, DATE '2026-01-01', TIMESTAMP '2026-01-01 01:02:03.000004', INTERVAL '1 day 2 hours'",
  "SELECT ts AT TIME ZONE 'Europe/Berlin', date_trunc('hour', ts), extract(year FROM ts) FROM t ORDER BY a",
  "SELECT b COLLATE NOCASE, a::DECIMAL(9, 2), TRY_CAST(b AS INTEGER), a // 2, a ** 2, -a FROM t ORDER BY a",
  "FROM t SELECT string_agg(b, '|' ORDER BY a DESC)",
  "VALUES (1, 'a'), (2, 'b')",
  "SELECT * FROM range(3) r(i), unnest([10, 20]) u(j) ORDER BY ALL",
  "PIVOT t ON b IN ('x', 'y') USING sum(a) GROUP BY ts ORDER BY ts",
  "SELECT 1e-1 + 2e-1 = 3e-1, 1e300 * 10, 1e0 / 3",
];

Deno.test("printed SQL gives the same values and types as the SQL it came from", async () => {
  await using engine = await Engine.open();
  await engine.run(
    `CREATE TABLE t AS SELECT i::INTEGER AS a, ['x', 'y', NULL][1 + i::INTEGER % 3] AS b,
    TIMESTAMP '2026-11-22 19:00:00' + to_minutes(i) AS ts FROM range(7) r(i)`,
  );
  for (const sql of STATEMENTS) {
    const [printed = ""] = await printSql(engine, [await parseSelect(engine, sql)]);
    const [before, after] = [await engine.read(sql), await engine.read(printed)];
    assert.deepEqual(after.rows, before.rows, `${sql}\n${printed}`);
    const types = (columns: { type: string }[]) => columns.map(({ type }) => type);
    assert.deepEqual(types(after.columns), types(before.columns), printed);
  }
});

Deno.test("every double and every whole number keeps its value", async () => {
  await using engine = await Engine.open();
  const double = fc.double({ noNaN: true, noDefaultInfinity: true });
  const whole = fc.bigInt({ min: 0n, max: 2n ** 127n - 1n });
  await fc.assert(
    fc.asyncProperty(double, whole, async (number, integer) => {
      const literal = number.toExponential();
      const tree = await parseSelect(engine, `SELECT ${literal}, ${integer}, [${literal}]`);
      const [printed = ""] = await printSql(engine, [tree]);
      const { rows, columns } = await engine.read(printed);
      assert.equal(columns[0]?.type, "DOUBLE");
      // The sign of a negative literal is an operator of its own.
      assert.equal(rows[0]?.[0], number === 0 ? 0 : number);
      assert.equal(BigInt(String(rows[0]?.[1])), integer);
    }),
  );
});

Deno.test("a syntax error shows DuckDB's message, the place and the line", async () => {
  await using engine = await Engine.open();
  await assert.rejects(parseSelect(engine, "SELECT status\nFROM logs\n  WHER x"), {
    code: "bad_sql",
    message: 'syntax error at or near "x"\n  at 3:8\n    WHER x\n         ^',
  });
});

Deno.test("a syntax error in one endless line quotes its surroundings", async () => {
  await using engine = await Engine.open();
  const sql = `SELECT ${"1, ".repeat(1_000)} FROM FROM ${", 1".repeat(1_000)}`;
  await assert.rejects(parseSelect(engine, sql), (error: Error) => {
    const [, place, quote = "", caret = ""] = error.message.split("\n");
    assert.equal(place, "  at 1:3014");
    assert.ok(quote.length < 130);
    assert.equal(quote.slice(caret.indexOf("^")).slice(0, 4), "FROM");
    return true;
  });
});

Deno.test("positions count characters, not bytes", () => {
  assert.equal(positionText("SELECT '日本🙂', x", 21), "1:15");
  assert.equal(positionText("a\nb\nc", 4), "3:1");
  assert.equal(positionText("a", null), null);
});
