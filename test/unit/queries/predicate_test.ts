import { ACCESS } from "../../../protocol/streams.ts";
import assert from "node:assert/strict";
import { admitPredicate } from "../../../queries/predicate.ts";

const NOW = "2026-11-22T18:00:00.000Z";
const columns = ACCESS.logical;
const admitted = async (condition: string) =>
  (await admitPredicate({ condition, table: "logs", columns, now: NOW })).sql;

Deno.test("a condition becomes an expression, with the clock stopped", async () => {
  assert.equal(
    await admitted("status >= 500 AND request LIKE '/api/%' -- all of them"),
    "((status >= 500) AND (request ~~ '/api/%'))",
  );
  const recent = await admitted("ts > now()::TIMESTAMP - INTERVAL 1 HOUR OR line LIKE '%now()%'");
  assert.match(recent, /2026-11-22 18:00:00/);
});

Deno.test("what is more or less than a condition over the columns is refused", async () => {
  const refused = [
    "1 = 1) UNION ALL SELECT * FROM logs WHERE (true",
    "true) ORDER BY (ts",
    "true) GROUP BY (ts",
    "true) QUALIFY (row_number() OVER () = 1",
    "status IN (SELECT status FROM logs)",
    "generation = 'a'",
    "count(*) > 1",
    "read_text('/etc/passwd') = ''",
    "status =",
    "",
    "getenv('HOME') = ''",
  ];
  for (const condition of refused) {
    await assert.rejects(admitted(condition), { code: "bad_sql" }, condition);
  }
});
