/** fanout/audience.ts: who is asked, who is missing before anybody is, over a real broker. */
import assert from "node:assert/strict";
import { signAction } from "../../../../orchestrator/access/sign.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signature.ts";
import { error, logsWith, named, Scene } from "../scene.ts";

const COUNTS = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 1";

Deno.test("an offline host is named at once and not waited for; a named one never seen too", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const gone = await scene.agent({ host: "web-2" });
  await gone[Symbol.asyncDispose]();
  await scene.hostIs("web-2", "offline");
  const startedMs = performance.now();
  const { end } = await scene.ask({ sql: COUNTS, selector: "host in (web-1, web-2, web-9)" });
  assert.ok(performance.now() - startedMs < 900);
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
    { host: "old-1", kind: "refused", reason: "agent 0.0.9 cannot run plan version 4" },
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
  await scene.agent({ host: "web-2", logs: logsWith([404]), presence: { plan_versions: [3] } });
  const sql = "SELECT count(DISTINCT status) AS kinds FROM logs";
  const { end, rows } = await scene.ask({ sql });
  assert.deepEqual([end.mode, rows], ["rows", [{ kinds: 2 }]]);
  const newer = await scene.ask({ sql, selector: "host = web-1" });
  assert.deepEqual([newer.end.mode, newer.rows], ["aggregate", [{ kinds: 2 }]]);
});

Deno.test("a retired host is missing where it was there in the range, and nowhere else", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const gone = await scene.agent({ host: "web-2", logs: logsWith([200]) });
  await gone[Symbol.asyncDispose]();
  await scene.hostIs("web-2", "offline");
  const client = new ApiClient(scene.orchestrator.url);
  const signal = AbortSignal.timeout(5_000);
  const retire = async (names: string, key = scene.key) => {
    const token = await signAction("retire", names, { key, nowMs: Date.now() });
    await client.retire({ names, token, signal });
  };
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  assert.equal((await error(retire("web-2", stranger))).code, "not_permitted");
  assert.equal((await error(retire("web-1"))).message, "web-1 is online: stop its agent first");
  await retire("web-2");
  const before = await scene.ask({ sql: COUNTS, since: "24h" });
  assert.deepEqual(before.end.coverage.missing.map(({ host, kind }) => [host, kind]), [
    ["web-2", "retired"],
  ]);
  const since = new Date(Date.now() - 1).toISOString();
  const { end } = await scene.ask({ sql: COUNTS, since });
  assert.deepEqual([end.coverage.missing, end.coverage.asked], [[], 1]);
  const bounded = `SELECT count(*) FROM logs WHERE ts < '2026-01-01'`; // there is no beginning then
  assert.equal((await scene.ask({ sql: bounded })).end.coverage.missing.length, 1);
});
