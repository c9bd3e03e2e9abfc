/** The main job, as a user sees it: real agents, a real orchestrator, the real command line. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, combinedLineAt, jsonLine, manyLines } from "../harness/lines.ts";
import { MOSQUITTO_IS_MISSING } from "../harness/mosquitto.ts";

const HOSTS = { "web-1": "eu-west-1", "web-2": "eu-west-1", "web-3": "us-east-1" };
const COUNT =
  `SELECT (SELECT count(*) FROM logs) AS rows, (SELECT count(*) FROM rejects) AS rejects,
  (SELECT count(DISTINCT (host, line)) FROM logs) AS distinct_lines`;

for (const broker of ["embedded", "mosquitto"] as const) {
  Deno.test({
    name: `${broker}: one question, the whole fleet, through kill -9 and rotation: rows are lines`,
    ignore: broker === "mosquitto" && MOSQUITTO_IS_MISSING,
    fn: () => killAndRotate(broker),
  });

  Deno.test({
    name: `${broker}: a killed host is named, the answer is partial and not late`,
    ignore: broker === "mosquitto" && MOSQUITTO_IS_MISSING,
    fn: () => partialAnswer(broker),
  });
}

async function killAndRotate(broker: "embedded" | "mosquitto") {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker });
  const [first, second, third] = ["web-1", "web-2", "web-3"] as const;
  let lines = 0;
  const write = async (host: string, text: string) => {
    lines += text.split("\n").length - 1;
    await Deno.writeTextFile(fleet.logFile(host), text, { append: true });
  };
  await write(first, manyLines(combinedLine, 0, 5_000) + "no log line at all\n");
  await write(second, manyLines(jsonLine, 0, 5_000));
  await write(third, manyLines(combinedLine, 0, 5_000));
  await fleet.killAgent(second); // in the middle of its ingest, or of a flush
  for (let round = 1; round <= 5; round++) {
    await write(first, manyLines(combinedLine, round * 10_000, 1_000));
    await write(second, manyLines(jsonLine, round * 10_000, 1_000));
    await Deno.rename(fleet.logFile(third), `${fleet.logFile(third)}.${round}`);
    await write(third, manyLines(combinedLine, round * 10_000, 1_000));
    if (round === 2) fleet.startAgent(second);
    if (round === 4) {
      await fleet.killAgent(second);
      fleet.startAgent(second);
    }
  }
  await fleet.online(3);
  const stored = await eventually(async () => {
    const { answer } = await fleet.query(COUNT);
    const [row] = answer.rows;
    return Number(row?.rows) + Number(row?.rejects) >= lines ? row : undefined;
  });
  assert.deepEqual(stored, { rows: lines - 1, rejects: 1, distinct_lines: lines - 1 });
  const { stdout } = await fleet.cli("query", COUNT, "-o", "json"); // the command itself
  assert.deepEqual(JSON.parse(stdout).rows, [stored]);

  const { code, answer } = await fleet.query(
    "SELECT host, region, count(*) AS requests, sum(body_bytes_sent) AS bytes FROM logs " +
      "WHERE status = 500 GROUP BY ALL ORDER BY host",
  );
  assert.equal(code, 0);
  assert.equal(answer.mode, "aggregate");
  assert.deepEqual(answer.coverage.missing, []);
  assert.deepEqual(answer.rows.map(({ host, region, requests }) => [host, region, requests]), [
    ["web-1", "eu-west-1", 1_000],
    ["web-2", "eu-west-1", 1_000],
    ["web-3", "us-east-1", 1_000],
  ]);
}

async function partialAnswer(broker: "embedded" | "mosquitto") {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker });
  for (const host of Object.keys(HOSTS)) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, 100));
  }
  const sql = "SELECT count(*) AS n FROM logs";
  await eventually(async () => (await fleet.query(sql)).answer.rows[0]?.n === 300);
  // All have said what they hold: what a host that dies before may have, nobody knows.
  await eventually(async () => (await fleet.query(...YESTERDAY)).answer.coverage.pruned === 3);
  await fleet.killAgent("web-2");
  const { code, answer } = await fleet.query(sql);
  assert.equal(code, 75);
  assert.deepEqual(answer.rows, [{ n: 200 }]);
  assert.deepEqual(answer.coverage.missing.map(({ host }) => host), ["web-2"]);
  assert.doesNotMatch(answer.coverage.missing[0]?.reason ?? "", /^no result/); // nobody waited so long
  assert.equal((await fleet.query(sql, "--allow-partial")).code, 0);
  const table = await fleet.cli("query", sql);
  assert.equal(table.code, 75);
  assert.match(table.stderr, /^PARTIAL · 2\/3 hosts · last 24 h · 200 rows/m);
  assert.match(table.stderr, /^ {2}offline 1 +web-2 /m);
  if (broker === "embedded") await yesterdayAndRetire(fleet);
}

const YESTERDAY = ["SELECT count(*) AS n FROM logs", "--since", "48h", "--until", "24h"] as const;

/** Over yesterday nobody is asked but who holds something of it; web-2 is offline. */
async function yesterdayAndRetire(fleet: TestFleet) {
  const { coverage } = await eventually(async () => {
    const { answer } = await fleet.query(...YESTERDAY);
    return answer.coverage.pruned === 2 ? answer : undefined;
  });
  assert.deepEqual([coverage.asked, coverage.answered, coverage.chunks], [3, 2, 0]);
  await Deno.writeTextFile(
    fleet.logFile("web-3"),
    combinedLineAt(Date.now() - 36 * 3_600_000, 0),
    { append: true },
  );
  await eventually(async () => (await fleet.query(...YESTERDAY)).answer.rows[0]?.n === 1);
  const explained = await fleet.cli("query", ...YESTERDAY, "--explain");
  assert.match(explained.stdout, /^hosts {2}1: web-3\n +not asked: web-1: nothing there\n/m);

  const retired = await fleet.cli("hosts", "retire", "web-2");
  assert.equal(retired.code, 0, retired.stderr);
  const later = await fleet.query(...YESTERDAY);
  assert.deepEqual([later.code, later.answer.coverage.asked], [0, 2]);
  const now = await fleet.cli("query", "SELECT count(*) AS n FROM logs");
  assert.equal(now.code, 75);
  assert.match(
    now.stderr,
    /^ {2}retired 1 +web-2 +silent since .*: what it had is not here$/m,
  );
  const hosts = await fleet.cli("hosts");
  assert.match(hosts.stdout, /^2 hosts: 2 online, 0 offline · 1 retired hidden \(--retired\)$/m);
  assert.match((await fleet.cli("hosts", "--retired")).stdout, /^web-2 +eu-west-1 +retired /m);
  fleet.startAgent("web-2");
  await fleet.online(3);
  assert.match((await fleet.cli("hosts")).stdout, /3 hosts: 3 online, 0 offline$/m);
}

Deno.test("embedded: selectors, refusals and bad SQL have their exit codes and words", async () => {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker: "embedded" });
  await Deno.writeTextFile(fleet.logFile("web-1"), manyLines(combinedLine, 0, 10));
  await eventually(async () =>
    (await fleet.query("SELECT count(*) AS n FROM logs")).answer.rows[0]?.n === 10
  );
  const us = await fleet.query("SELECT count(*) AS n FROM logs", "--region", "us-east-1");
  assert.deepEqual([us.code, us.answer.coverage.asked, us.answer.rows], [0, 1, [{ n: 0 }]]);
  const named = await fleet.query("SELECT count(*) AS n FROM logs", "--host", "web-1,web-9");
  assert.equal(named.code, 75);
  assert.deepEqual(named.answer.coverage.missing.map(({ host }) => host), ["web-9"]);

  const bad = await fleet.cli("query", "SELECT statuss FROM logs");
  assert.equal(bad.code, 64);
  assert.match(bad.stderr, /statuss/);
  assert.doesNotMatch(bad.stderr, /\.ts:\d+/);
  const file = await fleet.cli("query", "SELECT * FROM read_csv('/etc/passwd')");
  assert.equal(file.code, 64);
  assert.match(file.stderr, /read_csv/);

  const strangerKey = fleet.path("web-1", "stranger.key");
  await fleet.cli("key", "new", strangerKey);
  const stranger = await fleet.cli("query", "SELECT 1 FROM logs", "--key", strangerKey);
  assert.equal(stranger.code, 77);
  assert.match(stranger.stderr, /not pinned/);

  const hosts = await fleet.cli("hosts");
  assert.equal(hosts.code, 0);
  assert.match(
    hosts.stdout,
    /^HOST +REGION +STATE +SEEN +VERSION +LINES\/S +BEHIND +REJECTS +UPLOAD/,
  );
  assert.match(hosts.stdout, /3 hosts: 3 online, 0 offline/);
});

Deno.test("embedded: curl with a signed header gets CSV", async () => {
  await using fleet = await TestFleet.start({ hosts: { "web-1": "eu" }, broker: "embedded" });
  await Deno.writeTextFile(fleet.logFile("web-1"), manyLines(combinedLine, 0, 10));
  const sql = "SELECT status, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1";
  await eventually(async () => (await fleet.query(sql)).answer.rows.length === 2);
  const { stdout: token } = await fleet.cli("key", "sign", sql);
  const ask = (body: string) =>
    fetch(`${fleet.url}/v1/query?format=csv`, {
      method: "POST",
      headers: { "Logvend-Signature": token.trim() },
      body,
    });
  const altered = await ask(sql.replace("logs", "rejects"));
  assert.equal(altered.status, 403);
  assert.match(await altered.text(), /not the one that was signed/);
  const response = await ask(sql);
  assert.equal(response.headers.get("Logvend-Answer"), "complete");
  assert.equal(await response.text(), "status,n\n200,9\n500,1\n");
});
