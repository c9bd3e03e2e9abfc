/** Headers, parameters and names of the library. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { parseLibraryQuery } from "../../../../queries/library/header.ts";
import { askedSql, LIBRARY_NAMES, libraryQuery } from "../../../../queries/library/library.ts";
import { filledSql, parametersIn } from "../../../../queries/library/parameters.ts";
import { times } from "../../../harness/seed.ts";

const HEADER = `-- title: Slow
-- question: Which are slow: these, or those?
-- param path text: a LIKE pattern
-- param over duration = 1s: longer is slow
-- param share number = 0.5: of all
-- param limit integer = 10: the most rows
-- column request VARCHAR: what was asked for
-- column price DECIMAL(18,3): what it cost
-- stream: logs
-- source: https://example.com/a#b`;

const SLOW = parseLibraryQuery("slow", `${HEADER}\nSELECT $path,\n  $over, $share\nLIMIT $limit\n`);

function refuses(act: () => unknown, message: string) {
  assert.throws(act, (error) => {
    assert.ok(error instanceof LogvendError);
    assert.deepEqual([error.code, error.message], ["usage", message]);
    return true;
  });
}

Deno.test("a header becomes facts, the rest is the SQL", () => {
  assert.deepEqual(SLOW, {
    name: "slow",
    title: "Slow",
    question: "Which are slow: these, or those?",
    parameters: [
      { name: "path", type: "text", default: null, about: "a LIKE pattern" },
      { name: "over", type: "duration", default: "1s", about: "longer is slow" },
      { name: "share", type: "number", default: "0.5", about: "of all" },
      { name: "limit", type: "integer", default: "10", about: "the most rows" },
    ],
    columns: [
      { name: "request", type: "VARCHAR", about: "what was asked for" },
      { name: "price", type: "DECIMAL(18,3)", about: "what it cost" },
    ],
    stream: "logs",
    source: "https://example.com/a#b",
    sql: "SELECT $path,\n  $over, $share\nLIMIT $limit",
  });
});

Deno.test("a header that lacks something, or has it twice or misspelt, is a mistake", () => {
  const check = (from: string | RegExp, to: string, pattern: RegExp) =>
    assert.throws(
      () => parseLibraryQuery("slow", `${HEADER.replace(from, to)}\nSELECT 1`),
      pattern,
    );
  check("-- title: Slow\n", "", /slow\.sql: no title/);
  check(/-- column .*\n/g, "", /slow\.sql: no column/);
  check("-- stream: logs", "-- title: Fast", /slow\.sql: -- title: Fast/);
  check("-- stream", "-- steam", /slow\.sql: -- steam: logs/);
  check("duration", "interval", /slow\.sql: -- param over interval/);
  check("-- column request VARCHAR", "-- column request", /slow\.sql: -- column request: what/);
});

Deno.test("every query uses the parameters that it has, and explains them", () => {
  for (const name of LIBRARY_NAMES) {
    const { parameters, sql } = libraryQuery(name);
    const declared = parameters.map((parameter) => parameter.name);
    assert.deepEqual([...new Set(parametersIn(sql))].sort(), declared.toSorted(), name);
  }
});

Deno.test("all that group by path or route make it up in the same way", () => {
  const found = LIBRARY_NAMES.flatMap((name) =>
    /'\/' \|\| concat_ws.*?\n {2}\) AS /s.exec(libraryQuery(name).sql)?.[0] ?? []
  );
  assert.deepEqual([found.length, new Set(found).size], [3, 1]);
});

Deno.test("parameters become literals of their types", () => {
  assert.equal(
    filledSql(SLOW, ["path=/a=b", "over=2m", "limit=007"]),
    "SELECT '/a=b',\n  INTERVAL '120000 milliseconds', CAST('0.5' AS DOUBLE)\nLIMIT 7",
  );
});

Deno.test("a text is a text, whatever is in it", async () => {
  await using engine = await Engine.open();
  const text = fc.oneof(
    fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")), // no argument has it
    fc.constantFrom("' OR '1'='1", "'); DROP TABLE logs; --", "$limit", "$&", "\\'", "''", '"', ""),
  );
  const query = parseLibraryQuery(
    "any",
    `${HEADER}\nSELECT $path, '$path', "$limit" FROM -- $path
    (SELECT 1 AS "$limit") LIMIT $limit`,
  );
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      const { rows } = await engine.read(filledSql(query, [`path=${text}`]));
      assert.deepEqual(rows, [[text, "$path", 1]]);
    }),
    { numRuns: times(50) },
  );
});

Deno.test("parameters that are unknown, missing, doubled or of another type are named", () => {
  const check = (parameters: string[], message: string) =>
    refuses(() => filledSql(SLOW, parameters), message);
  check([], "@slow needs --param path=… (text): a LIKE pattern");
  check(
    ["path=/", "limt=5"],
    '@slow has no parameter "limt"; it has path, over, share, limit. Did you mean limit?',
  );
  check(["path=/", "path=/a"], "--param path is given twice: leave one out");
  check(["path"], "--param path: wanted NAME=VALUE, e.g. limit=10");
  check(["=1"], "--param =1: wanted NAME=VALUE, e.g. limit=10");
  for (const value of ["", "-1", "1.5", "1e3", "1; DROP", "9".repeat(19)]) {
    check(["path=/", `limit=${value}`], `--param limit=${value}: wanted a whole number, e.g. 10`);
  }
  for (const value of ["", "1e3", ".5", "1'", "NaN"]) {
    check(["path=/", `share=${value}`], `--param share=${value}: wanted a number, e.g. 0.5`);
  }
  check(["path=/", "over=soon"], "--param over soon: wanted a duration, e.g. 250ms, 30s, 5m");
  refuses(
    () => askedSql("@totals", ["limit=5"]),
    '@totals has no parameter "limit"; it has none at all',
  );
});

Deno.test("@name is a query of the library, anything else is SQL", () => {
  assert.equal(askedSql("SELECT '@totals'"), "SELECT '@totals'");
  assert.equal(askedSql(" @totals\n"), libraryQuery("totals").sql);
  refuses(
    () => askedSql("SELECT 1", ["limit=5"]),
    "--param belongs to a query of the library: give @NAME instead of SQL",
  );
  const unknown = (name: string, hint: string) =>
    refuses(
      () => askedSql(`@${name}`),
      `The library has no query "${name}"; logvend library list shows all${hint}`,
    );
  unknown("total", ". Did you mean totals?");
  unknown("bad_caller_404", ". Did you mean bad_callers_404?");
  unknown("constructor", "");
  unknown("", "");
});
