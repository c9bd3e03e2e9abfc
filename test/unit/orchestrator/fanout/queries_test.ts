/** fanout/queries.ts: what was asked is remembered, and cancelled by whoever may. */
import assert from "node:assert/strict";
import { signAction } from "../../../../orchestrator/access/sign.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { openDatabase } from "../../../../orchestrator/state/database.ts";
import { QueryTable } from "../../../../orchestrator/state/queries.ts";
import { QueryClaims } from "../../../../protocol/signing/claims.ts";
import {
  newOperatorKey,
  readOperatorKey,
  verifyClaims,
} from "../../../../protocol/signing/signature.ts";
import { eventually } from "../../../harness/eventually.ts";
import { error, logsWith, Scene } from "../scene.ts";

const COUNTS = "SELECT status, count(*) AS requests FROM logs GROUP BY 1";
const soon = () => AbortSignal.timeout(120_000);

Deno.test("a query is remembered with its operator, its coverage and what it cost", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200, 404]) });
  const { end } = await scene.ask({ sql: COUNTS, selector: "host = web-1" });
  await error(scene.ask({ sql: "SELECT nothing FROM logs" }));
  const client = new ApiClient(scene.orchestrator.url);
  const [bad, good] = await client.queryRecords("20", soon());
  assert.deepEqual([bad?.state, bad?.error?.code], ["failed", "bad_sql"]);
  const { query_id, operator, sql, selector, state, mode, rows_shipped, coverage } = good ?? {};
  assert.deepEqual(
    { query_id, operator, sql, selector, state, mode, rows_shipped, coverage },
    {
      query_id: end.query_id,
      operator: scene.key.publicKey,
      sql: COUNTS,
      selector: "host = web-1",
      state: "complete",
      mode: "aggregate",
      rows_shipped: 2,
      coverage: end.coverage,
    },
  );
  assert.ok(Number(good?.bytes_shipped) > 100);
  assert.deepEqual(await client.queryRecord(end.query_id, soon()), good);
  assert.deepEqual(await client.queryRecord(good?.id.slice(0, 20) ?? "", soon()), good);
  const unknown = await error(client.queryRecord("q-000000", soon()));
  assert.match(unknown.message, /There is no query q-000000/);
});

Deno.test("what was signed is shown to its operator alone, also after a restart", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const { end } = await scene.ask({ sql: COUNTS });
  const client = new ApiClient(scene.orchestrator.url);
  const [record] = await client.queryRecords("1", soon());
  const shown = async (key = scene.key, named = end.query_id) => {
    const token = await signAction("resume", named, { key, nowMs: Date.now() });
    return await client.signedBefore({ id: end.query_id, token, signal: soon() });
  };
  const { sql, token } = await shown();
  assert.equal(sql, COUNTS);
  const trusted = { schema: QueryClaims, sql, token, trust: [scene.key.publicKey] };
  const { claims } = await verifyClaims({ ...trusted, nowMs: Date.now() });
  assert.equal(claims.id, record?.id);
  for (const path of ["/v1/queries", `/v1/queries/${end.query_id}`]) {
    const text = await (await scene.get(path)).text();
    assert.ok(text.includes(claims.id) && !text.includes(token), path);
  }
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  assert.equal((await error(shown(stranger))).code, "not_permitted");
  assert.match((await error(shown(scene.key, "q-000000"))).message, /not the one that was signed/);
  using database = openDatabase(scene.dataFolder);
  const table = new QueryTable(database);
  const running = { ...table.findSigned(claims.id), state: "running" as const };
  table.save({ ...running, operator: stranger.publicKey });
  assert.match((await error(shown())).message, /was asked with another key, ed25519:/);
  table.save(running);
  assert.equal(new QueryTable(database).findSigned(claims.id).token, token, "interrupted");
  table.save(table.find(claims.id)); // as an older version wrote it
  assert.match((await error(shown())).message, /cannot be asked again as it was: ask it anew/);
});

Deno.test("a trusted operator cancels a query: on every host, and its asker is told", async () => {
  await using scene = await Scene.start();
  const agents = await Promise.all(
    ["web-1", "web-2"].map((host) => scene.agent({ host, script: ({ ack }) => ack() })),
  );
  const asked = error(scene.ask({ sql: COUNTS }));
  const client = new ApiClient(scene.orchestrator.url);
  const [running] = await eventually(async () => {
    const records = await client.queryRecords("1", soon());
    return records[0]?.state === "running" ? records : false;
  });
  const id = running?.id ?? "";
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  const forged = await signAction("cancel", id, { key: stranger, nowMs: Date.now() });
  assert.equal(
    (await error(client.cancel({ id, token: forged, signal: soon() }))).code,
    "not_permitted",
  );
  const other = await signAction("cancel", crypto.randomUUID(), {
    key: scene.key,
    nowMs: Date.now(),
  });
  assert.equal(
    (await error(client.cancel({ id, token: other, signal: soon() }))).code,
    "not_permitted",
  );
  const cancel = async () =>
    await client.cancel({
      id,
      token: await signAction("cancel", id, { key: scene.key, nowMs: Date.now() }),
      signal: soon(),
    });
  await cancel();
  const { code, message } = await asked;
  assert.equal(code, "cancelled");
  assert.equal(message, `The query was cancelled by ${scene.key.publicKey}`);
  await eventually(() => agents.every((agent) => agent.cancelled.length === 1));
  await eventually(async () => (await client.queryRecord(id, soon())).state === "cancelled");
  assert.match((await error(cancel())).message, /does not run: it is cancelled/);
});
