/** fanout/audience.ts: who is asked, who is missing before anybody is, over a real broker. */
import assert from "node:assert/strict";
import { signAction } from "../../../../orchestrator/access/sign.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import type { HostHoldings } from "../../../../protocol/wire/holdings.ts";
import { eventually } from "../../../harness/eventually.ts";
import { error, logsWith, named, Scene } from "../scene.ts";
import { silent } from "../scripted_agent.ts";

const COUNTS = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 1";

Deno.test("an offline host is named at once and not waited for; a named one never seen too", async () => {
  await using scene = await Scene.start({ ackTimeout: "60s" });
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const gone = await scene.agent({ host: "web-2" });
  await gone[Symbol.asyncDispose]();
  await scene.hostIs("web-2", "offline");
  const { end } = await scene.ask({ sql: COUNTS, selector: "host in (web-1, web-2, web-9)" });
  assert.ok(end.elapsed_ms < 60_000, `${end.elapsed_ms} ms`);
  assert.equal(end.coverage.asked, 3);
  const [offline, unknown] = end.coverage.missing;
  assert.match(offline?.reason ?? "", /^silent since \d\d:\d\d:\d\d$/);
  assert.equal(offline?.kind, "offline");
  assert.deepEqual(unknown, { host: "web-9", kind: "unknown", reason: "never seen" });
});

Deno.test("only selected hosts are asked", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", region: "eu-west-1", logs: logsWith([200]) });
  await scene.agent({ host: "web-2", region: "us-east-1", logs: logsWith([500]) });
  const { end, rows } = await scene.ask({ sql: COUNTS, selector: "region = us-east-1" });
  assert.equal(end.coverage.asked, 1);
  assert.deepEqual(rows, [{ status: 500, requests: 1 }]);
});

Deno.test("hosts without the stream are not asked, unless by name; those of another plan version refuse", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({ host: "db-1", presence: { streams: ["slow"] } });
  await scene.agent({ host: "old-1", presence: { plan_versions: [0], version: "0.0.9" } });
  const { end } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(named(end.coverage.missing), [
    { host: "old-1", kind: "refused", reason: "agent 0.0.9 cannot run plan version 7" },
  ]);
  const byName = await scene.ask({ sql: COUNTS, selector: "host in (db-1, web-1)" });
  assert.deepEqual(named(byName.end.coverage.missing), [
    { host: "db-1", kind: "refused", reason: 'has no stream "logs"' },
  ]);
  const nobody = await error(scene.ask({ sql: COUNTS, selector: "region = moon" }));
  assert.equal(nobody.message, "No host matches region = moon: 3 hosts are known (logvend hosts)");
  const slow = scene.ask({ sql: "SELECT count(*) FROM slow", selector: "host != db-1" });
  assert.equal(
    (await error(slow)).message,
    "No host that matches host != db-1 has the table slow (logvend hosts)",
  );
});

Deno.test("a fleet with a host of the version before is asked in that version", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200, 404]) });
  await scene.agent({ host: "web-2", logs: logsWith([404]), presence: { plan_versions: [6] } });
  const sql = "SELECT max(status::VARCHAR COLLATE NOCASE) AS m FROM logs";
  const { end, rows } = await scene.ask({ sql });
  assert.deepEqual([end.mode, rows], ["aggregate", [{ m: "404" }]]);
  const newer = await scene.ask({ sql, selector: "host = web-1" });
  assert.deepEqual([newer.end.mode, newer.rows], ["rows", [{ m: "404" }]]);
});

const HOUR_MS = 3_600_000;
const DAY = new Date(Date.now() - 72 * HOUR_MS).toISOString().slice(0, 10);
const THAT_DAY = { since: `${DAY}T10:00Z`, until: `${DAY}T11:00Z` };

/** Open for the last hour; of days before it has what is given. */
function holding(days: HostHoldings["days"] = {}): HostHoldings {
  const open_from = new Date(Date.now() - HOUR_MS).toISOString();
  return { version: "v1", open_from, own_rows: true, days };
}

/** A chunk of `logs` at ten o'clock of the day. */
function chunkOfThatDay() {
  const us = Date.parse(`${DAY}T10:30:00Z`) * 1_000;
  const logs: [string, number, number, number, number][] = [["00000000000000aa", 7, 700, us, us]];
  return { day: DAY, digest: "d1", chunks: { logs }, marks: [] };
}

Deno.test("over a range that lies behind only those are asked that hold something of it", async () => {
  await using scene = await Scene.start();
  const days = [chunkOfThatDay()];
  const held = { said: holding({ [DAY]: "d1" }), days };
  await scene.agent({ host: "old-1", logs: logsWith([200]) }); // says nothing of what it holds
  await scene.agent({ host: "web-1", logs: logsWith([200]), holdings: held });
  await scene.agent({ host: "web-2", script: silent, holdings: { said: holding() } });
  const left = await scene.agent({ host: "web-3", holdings: { said: holding() } });
  await left.leave();
  await scene.hostIs("web-3", "offline");
  const cut = await scene.agent({ host: "web-4", holdings: { said: holding() } });
  await cut[Symbol.asyncDispose]();
  await scene.hostIs("web-4", "offline");

  const explained = await eventually(async () => {
    const explanation = await scene.explain(COUNTS, THAT_DAY);
    return explanation.estimate.chunks === 1 ? explanation : undefined;
  });
  const { hosts, pruned, missing, estimate } = explained;
  assert.deepEqual({ hosts, pruned }, { hosts: ["old-1", "web-1"], pruned: ["web-2", "web-3"] });
  assert.deepEqual(missing.map(({ host }) => host), ["web-4"]);
  assert.deepEqual(estimate, { chunks: 1, rows: 7, bytes: 700, unknown_hosts: 1 });

  const { end, rows } = await scene.ask({ sql: COUNTS, ...THAT_DAY });
  const { asked, answered, pruned: count } = end.coverage;
  assert.deepEqual({ asked, answered, count }, { asked: 5, answered: 4, count: 2 });
  assert.deepEqual(rows, [{ status: 200, requests: 2 }]);
  const where = `ts >= '${DAY} 12:00' AND ts < '${DAY} 13:00'`;
  const bySql = await scene.ask({ sql: `SELECT count(*) AS n FROM logs WHERE ${where}` });
  assert.equal(bySql.end.coverage.pruned, 3);
  const recent = await scene.explain(COUNTS);
  assert.deepEqual([recent.hosts, recent.pruned], [["old-1", "web-1", "web-2"], []]);
});

Deno.test("WHERE on host and region chooses hosts; when nobody is left the answer is empty", async () => {
  await using scene = await Scene.start();
  const logs = logsWith([200]);
  const foreign = { said: { ...holding(), own_rows: false } };
  await scene.agent({ host: "web-1", logs, holdings: { said: holding() } });
  await scene.agent({ host: "web-2", logs, script: silent, holdings: { said: holding() } });
  await scene.agent({ host: "web-3", logs, region: "us-east-1", holdings: foreign });
  const hostsOf = async (where: string) =>
    (await scene.explain(`SELECT count(*) AS n FROM logs WHERE ${where}`)).hosts;
  assert.deepEqual(await hostsOf("host = 'web-1'"), ["web-1", "web-3"]);
  assert.deepEqual(await hostsOf("region = 'us-east-1'"), ["web-3"]);
  assert.deepEqual(await hostsOf("host = 'web-2' AND region IN ('eu-west-1')"), ["web-2"]);
  const { end, rows } = await scene.ask({
    sql: "SELECT count(*) AS n FROM logs WHERE region = 'moon'",
  });
  assert.deepEqual([rows, end.coverage.answered, end.coverage.pruned], [[{ n: 0 }], 3, 3]);
});

Deno.test("a retired host is missing for its own time only, and is back when it is heard", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const held = { said: holding({ [DAY]: "d1" }), days: [chunkOfThatDay()] };
  const gone = await scene.agent({ host: "web-2", holdings: held });
  await eventually(async () => (await scene.explain(COUNTS, THAT_DAY)).estimate.chunks === 1);
  const client = new ApiClient(scene.orchestrator.url);
  const retire = async (names: string, key = scene.key) => {
    const token = await signAction("retire", names, { key, nowMs: Date.now() });
    await client.retire({ names, token, signal: AbortSignal.timeout(120_000) });
  };
  assert.equal((await error(retire("web-2"))).message, "web-2 is online: stop its agent first");
  await gone[Symbol.asyncDispose]();
  await scene.hostIs("web-2", "offline");
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  assert.equal((await error(retire("web-2", stranger))).code, "not_permitted");
  await retire("web-2");

  const missing = async (range: { since?: string; until?: string }, selector = "") =>
    (await scene.ask({ sql: COUNTS, selector, ...range })).end.coverage.missing
      .map(({ host, kind }) => `${host} ${kind}`);
  assert.deepEqual(await missing({}), ["web-2 retired"]); // it was there an hour ago
  assert.deepEqual(await missing(THAT_DAY), ["web-2 retired"]);
  assert.deepEqual(
    await missing({ ...THAT_DAY, since: `${DAY}T09:00Z`, until: `${DAY}T10:00Z` }),
    [],
  );
  const selector = "host in (web-1, web-2)";
  const before = { since: `${DAY}T09:00Z`, until: `${DAY}T10:00Z` };
  assert.deepEqual(await missing(before, selector), ["web-2 retired"]);
  const nobody = error(scene.ask({ sql: COUNTS, selector: "host != web-1", ...before }));
  assert.match(
    (await nobody).message,
    /1 host retired before this range \(logvend hosts --retired\)/,
  );
  const isRetired = async () =>
    (await client.hosts(AbortSignal.timeout(120_000))).map(({ retired_at }) => retired_at !== null);
  assert.deepEqual(await isRetired(), [false, true]);
  await scene.agent({ host: "web-2", logs: logsWith([500]) });
  assert.deepEqual(await isRetired(), [false, false]);
});
