/** A host's own policy, as those see it who ask: coverage, errors, metrics, and --force in its log. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";

const LINES = 100;
const STRICT = "web-2";

/** DuckDB does not look for interrupts in it, and it takes hours: on hosts, as it is about their rows. */
const UNSTOPPABLE = `SELECT
  sum(levenshtein(repeat(http_method, 300000), repeat(remote_addr, 60000))) AS x FROM logs`;

Deno.test("what a host's policy refuses is named, counted and in the coverage; --force is logged", async () => {
  const hosts = { "web-1": "eu", [STRICT]: "eu" };
  await using fleet = await TestFleet.start({ hosts, broker: "embedded" });
  const port = freePort();
  await fleet.killAgent(STRICT);
  await Deno.writeTextFile(
    fleet.configFile(STRICT),
    `http: 127.0.0.1:${port}
policy: { timeout: 1s, mask: { remote_addr: prefix24, request: no_query } }
`,
    { append: true },
  );
  const agent = fleet.startAgent(STRICT);
  await agent.waitForLine(/Connected to the broker/);
  for (const host of Object.keys(hosts)) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, LINES));
  }
  const count = "SELECT count(*) AS n FROM logs";
  await eventually(async () => (await fleet.query(count)).answer.rows[0]?.n === 2 * LINES);

  const hidden = "SELECT count(DISTINCT request) AS n FROM logs";
  const partial = await fleet.query(hidden);
  assert.equal(partial.code, 75);
  const [missing, ...others] = partial.answer.coverage.missing;
  assert.equal(others.length, 0);
  assert.match(
    JSON.stringify(missing),
    /"web-2","kind":"refused","reason":"policy.mask of this host/,
  );
  const explain = async (sql: string, ...flags: string[]) => {
    const { code, stdout } = await fleet.cli("query", sql, "--explain", "-o", "json", ...flags);
    const { refused, unchecked } = JSON.parse(stdout);
    assert.deepEqual([code, unchecked], [0, []]);
    return refused;
  };
  const reason = missing?.reason;
  assert.deepEqual(await explain(hidden), [{ host: STRICT, rule: "mask", reason }]);
  const { stdout } = await fleet.cli("query", hidden, "--explain");
  assert.match(
    stdout,
    /^hosts {2}2: web-1 web-2\n {7}refused 1 {2}web-2 {2}policy\.mask of this host: logs\.request may/m,
  );
  assert.deepEqual(await explain(count), []);
  const shown = "SELECT DISTINCT remote_addr FROM logs WHERE host = 'web-2'";
  // On a busy machine what asks for little may take more than a second too.
  const whole = async (sql: string) =>
    await eventually(async () => {
      const { code, answer } = await fleet.query(sql);
      return code === 0 && answer.rows;
    });
  const rows = await whole(shown);
  assert(rows.length > 0);
  assert(rows.every((row) => String(row["remote_addr"]).endsWith(".0")), JSON.stringify(rows));

  const ask = async (...flags: string[]) => {
    const ended = await fleet.cli("query", UNSTOPPABLE, "--host", STRICT, ...flags);
    return `${ended.code} ${ended.stderr}`;
  };
  const refusals = async (rule: string) => {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const line = new RegExp(`^logvend_query_refusals_total\\{rule="${rule}"\\} (\\d+)$`, "m");
    return Number(line.exec(metrics)?.[1] ?? 0);
  };
  assert.equal(await refusals("mask"), 1);
  const before = await refusals("timeout");
  assert.match(await ask(), /^124 .*policy\.timeout of this host: stopped after 1/);
  assert.match(await ask(), /^77 .*policy\.denied of this host: .* without --force/);
  const [denied] = await explain(UNSTOPPABLE);
  assert.deepEqual([denied.host, denied.rule], [STRICT, "denied"]);
  assert.deepEqual(await explain(UNSTOPPABLE, "--force"), []);
  assert.match(await ask("--force"), /^124 .*policy\.timeout/);
  await agent.waitForLine(/is forced: it runs even if it had to be killed before/);
  assert.deepEqual([await refusals("denied"), await refusals("timeout")], [1, before + 2]);
  assert.deepEqual(await whole(count), [{ n: 2 * LINES }]);
});
