import { ACCESS } from "../../../protocol/schema/streams.ts";
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

Deno.test("a condition that nothing could end is refused where it has to be light, with the reason", async () => {
  const light = async (condition: string) =>
    (await admitPredicate({ condition, table: "logs", columns, now: null, isLight: true })).sql;
  for (
    const condition of [
      "status >= 500 AND request LIKE '/api/%'",
      "line LIKE '%a%b%c%' OR request ILIKE '%Login%' OR request LIKE '/_%'",
      "regexp_matches(http_user_agent, '(?i)bot|crawl') AND body_bytes_sent / 1000 > 5.5",
      "line->>'$.level' = 'error' AND ts >= TIMESTAMP '2026-11-22 10:00:00'",
      "status IN (401, 403) AND NOT starts_with(remote_addr, '10.') AND hour(ts) BETWEEN 2 AND 4",
      "try_cast(split_part(request, '/', 2) AS INTEGER) IS NOT NULL",
    ]
  ) await light(condition);
  const check = (condition: string, expected: RegExp) =>
    assert.rejects(light(condition), { code: "bad_sql", message: expected }, condition);
  await check("levenshtein(line, request) > 1", /may not call levenshtein\(\): a query may/);
  await check("repeat(line, 1000000) = ''", /may not call repeat/);
  await check("len(range(body_bytes_sent)) > 1", /may not call len/);
  await check("line || line = ''", /may not call \|\|/);
  await check("request LIKE '%a_%b'", /% at the pattern's ends/);
  await check("request ILIKE '%a%b'", /% at the pattern's ends/);
  await check("request LIKE line", /needs its pattern as a text/);
  await check("request GLOB '*a*b'", /may not call ~~~/);
  await check("regexp_matches(line, '(a?){900}b')", /repeats at most 100 times/);
  await check("regexp_matches(line, request)", /needs its pattern as a text/);
  await check("line::BIGNUM > 1", /casts to plain types only/);
  await check("[x for x in [1] if x = status] = [1]", /may not/);
  await check(Array(200).fill("status = 1").join(" OR "), /more than 200 parts/);
});
