/** The fleet answers for every line that its hosts have read. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram } from "../harness/program.ts";

Deno.test("FROM accounting says of every host what became of its lines", async () => {
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu", "web-2": "us" },
    broker: "embedded",
  });
  await Deno.writeTextFile(fleet.logFile("web-1"), manyLines(combinedLine, 0, 300));
  await Deno.writeTextFile(fleet.logFile("web-2"), manyLines(combinedLine, 0, 200) + "no log\n");
  const sql = `SELECT host, region, stream, outcome, reason, sum(lines)::INT AS lines
    FROM accounting GROUP BY ALL ORDER BY ALL`;
  const row = (host: string, region: string, lines: number, reason: string | null = null) => ({
    host,
    region,
    stream: "logs",
    outcome: reason === null ? "stored" : "rejected",
    reason,
    lines,
  });
  await eventually(async () => {
    const { answer } = await fleet.query("SELECT sum(lines)::INT AS n FROM accounting");
    return answer.rows[0]?.n === 501;
  });
  const { answer, code } = await fleet.query(sql, "--since", "all");
  assert.equal(code, 0);
  assert.deepEqual(answer.rows, [
    row("web-1", "eu", 300),
    row("web-2", "us", 1, "no_format"),
    row("web-2", "us", 200),
  ]);
  const { answer: joined } = await fleet.query(
    `SELECT (SELECT sum(lines) FROM accounting WHERE outcome = 'stored')::INT AS counted,
       (SELECT count(*) FROM logs)::INT AS stored`,
  );
  assert.deepEqual(joined.rows, [{ counted: 500, stored: 500 }]);
  await queryLog(fleet, sql);
});

/** What each host was asked, as the fleet and the host itself say it. */
async function queryLog(fleet: TestFleet, asked: string) {
  const sql = `SELECT host, operator LIKE 'ed25519:%' AS is_signed, rows_shipped::INT AS rows,
      total_ms > 0 AS took_time
    FROM query_log WHERE sql = '${asked.replaceAll("'", "''")}' AND state = 'complete' ORDER BY 1`;
  const row = (host: string, rows: number) => ({ host, is_signed: true, rows, took_time: true });
  await eventually(async () => {
    const { answer } = await fleet.query(sql);
    return answer.rows.length === 2 ? answer.rows : undefined;
  });
  assert.deepEqual((await fleet.query(sql)).answer.rows, [row("web-1", 1), row("web-2", 2)]);
  const local = await runProgram({
    args: ourProgram("agent/main.ts", "query", sql, "-c", fleet.configFile("web-1"), "-o", "json"),
  });
  assert.equal(local.code, 0, local.stderr);
  assert.deepEqual(JSON.parse(local.stdout).rows, [row("web-1", 1)]);
}
