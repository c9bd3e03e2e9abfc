import assert from "node:assert/strict";
import { parseSelect } from "../../../queries/ast.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { isHeavy } from "../../../queries/heavy.ts";

Deno.test("SQL that may not heed an interrupt is told from what does", async () => {
  await using engine = await Engine.open();
  const check = async (expected: boolean, ...texts: string[]) => {
    for (const sql of texts) assert.equal(isHeavy(await parseSelect(engine, sql)), expected, sql);
  };
  await check(
    false,
    "SELECT status, count(*) FROM logs WHERE request LIKE '/api/%' GROUP BY 1 ORDER BY 2 DESC",
    "SELECT h.range, count(*) FROM range(24) h LEFT JOIN logs ON hour(ts) = h.range GROUP BY 1",
    "SELECT regexp_replace(request, '[?].*', '') AS path, quantile_cont(request_time, 0.9) FROM logs GROUP BY 1",
    "SELECT a || ' ' || b FROM (SELECT remote_addr AS a, line LIKE '%a%b%' AS b FROM logs)",
  );
  let doubled = "SELECT 'a' AS x";
  for (let i = 0; i < 20; i++) doubled = `SELECT x || x AS x FROM (${doubled})`;
  await check(
    true,
    "SELECT levenshtein(request, line) FROM logs",
    "SELECT sum(len(range(status * 1000000))) FROM logs",
    "SELECT * FROM range(length(repeat('a', 1000000000)))",
    "SELECT line LIKE '%a_%b_%c' FROM logs",
    "SELECT line ILIKE '%a%b' FROM logs",
    "SELECT line LIKE request FROM logs",
    "SELECT replace(replace(line, 'a', 'aaaaaa'), 'a', 'aaaaaaa') FROM logs",
    "SELECT replace(line, 'a', request) FROM logs",
    doubled,
  );
});
