/** api/: what curl sees. */
import assert from "node:assert/strict";
import { error, logsWith, Scene } from "../scene.ts";
import { EventReader } from "../../../../orchestrator/cli/event_reader.ts";
import { RawQueryEvent } from "../../../../orchestrator/api/events.ts";
import { eventually } from "../../../harness/eventually.ts";

const SQL = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 1";

async function post(scene: Scene, path: string, sql = SQL, headers: Record<string, string> = {}) {
  const { token } = await scene.sign({ sql });
  return await fetch(new URL(path, scene.orchestrator.url), {
    method: "POST",
    body: sql,
    headers: { "logvend-signature": token, ...headers },
  });
}

Deno.test("rows come as the body, their coverage in headers", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200, 404]) });
  const response = await post(scene, "/v1/query?format=csv");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8");
  assert.equal(response.headers.get("logvend-answer"), "complete");
  assert.match(response.headers.get("logvend-query") ?? "", /^q-[0-9a-f]{6}$/);
  assert.equal(JSON.parse(response.headers.get("logvend-coverage") ?? "").answered, 1);
  assert.equal(
    (await response.text()).trim().replaceAll("\r", ""),
    "status,requests\n200,1\n404,1",
  );
});

Deno.test("json is one object with rows and coverage", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const answer = await (await post(scene, "/v1/query")).json();
  assert.deepEqual(Object.keys(answer), [
    "columns",
    "rows",
    "coverage",
    "mode",
    "query_id",
    "elapsed_ms",
  ]);
  assert.deepEqual(answer.rows, [{ status: 200, requests: 1 }]);
});

Deno.test("a partial answer is 200 and says partial", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({ host: "web-2", script: ({ ack }) => ack({ accepted: false }) });
  const response = await post(scene, "/v1/query?format=jsonl");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("logvend-answer"), "partial");
  const { missing } = JSON.parse(response.headers.get("logvend-coverage") ?? "");
  assert.deepEqual(missing, [{ host: "web-2", kind: "refused", reason: "gave no reason" }]);
  await response.body?.cancel();
});

Deno.test("binary formats are what they say", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const bytes = await (await post(scene, "/v1/query?format=parquet")).bytes();
  assert.equal(new TextDecoder().decode(bytes.slice(0, 4)), "PAR1");
  assert.ok((await (await post(scene, "/v1/query?format=arrow")).bytes()).length > 0);
  await eventually(() => [...Deno.readDirSync(`${scene.dataFolder}/scratch`)].length === 0);
});

Deno.test("events come as lines, from accepted to end", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const accept = { accept: "application/x-ndjson" };
  const text = await (await post(scene, "/v1/query?format=jsonl", SQL, accept)).text();
  const events = text.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ type }) => type), ["accepted", "progress", "data", "end"]);
  assert.equal(events[0].asked, 1);
  assert.deepEqual(events[2].columns, events[3].columns);
  assert.deepEqual(events[1], { type: "progress", answered: 1, asked: 1, rows_scanned: 10 });
});

Deno.test("raw events have the rows behind them as they are", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const accept = { accept: "application/vnd.logvend.events" };
  const response = await post(scene, "/v1/query?format=parquet", SQL, accept);
  assert.equal(response.headers.get("content-type"), accept.accept);
  await using reader = new EventReader(response.body ?? ReadableStream.from([]));
  const types: string[] = [];
  for (let line; (line = await reader.line()) !== null;) {
    const event = RawQueryEvent.parse(JSON.parse(line));
    types.push(event.type);
    if (event.type !== "data") continue;
    const bytes = await new Blob(await Array.fromAsync(reader.bytes(event.length))).bytes();
    assert.equal(new TextDecoder().decode(bytes.slice(0, 4)), "PAR1");
    assert.equal(new TextDecoder().decode(bytes.slice(-4)), "PAR1");
  }
  assert.deepEqual(types, ["accepted", "progress", "data", "end"]);
});

Deno.test("errors are JSON with a code and a status that fits", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const check = async (response: Response, status: number, code: string, pattern: RegExp) => {
    const { error } = await response.json();
    assert.equal(response.status, status);
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
  };
  await check(await post(scene, "/v1/query", "SELEC 1"), 400, "bad_sql", /./);
  await check(await post(scene, "/v1/query?format=xml"), 400, "usage", /wanted json, jsonl, csv/);
  await check(await post(scene, "/v2/query"), 404, "usage", /There is no POST \/v2\/query/);
  const unsigned = { method: "POST", body: SQL };
  const url = new URL("/v1/query", scene.orchestrator.url);
  await check(await fetch(url, unsigned), 403, "not_permitted", /no Logvend-Signature header/);
  await check(await post(scene, "/v1/query", `--${"x".repeat(100)}`), 400, "bad_sql", /./);
});

Deno.test("explain shows the plan and runs nothing", async () => {
  await using scene = await Scene.start();
  let asked = 0;
  await scene.agent({ host: "web-1", script: () => void asked++ });
  const response = await post(scene, "/v1/query?explain=1");
  const { mode, hosts, partials, merge_sql } = await response.json();
  assert.equal(mode, "aggregate");
  assert.deepEqual(hosts, ["web-1"]);
  assert.match(partials[0].sql, /count/);
  assert.match(merge_sql, /sum\(/);
  assert.equal(asked, 0);
});

Deno.test("what was signed to be explained is not run", async () => {
  await using scene = await Scene.start();
  let asked = 0;
  await scene.agent({ host: "web-1", script: () => void asked++ });
  const refused = await error(scene.ask({ sql: SQL, explain: true }));
  assert.equal(refused.code, "not_permitted");
  assert.equal(refused.message, "It was signed to be explained, not to be run");
  assert.equal(asked, 0);
});

Deno.test("hosts are listed with their state, and the server says that it is ready", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", labels: { service: "api" } });
  const { hosts } = await (await scene.get("/v1/hosts")).json();
  assert.equal(hosts.length, 1);
  const { host, region, labels, state, streams } = hosts[0];
  assert.deepEqual({ host, region, labels, state, streams }, {
    host: "web-1",
    region: "eu-west-1",
    labels: { service: "api" },
    state: "online",
    streams: ["logs"],
  });
  const health = await scene.get("/healthz");
  assert.equal(health.status, 200);
  await health.body?.cancel();
});

Deno.test("a client that goes away cancels its query on the hosts", async () => {
  await using scene = await Scene.start();
  const stop = new AbortController();
  const script = ({ ack }: { ack(): void }) => {
    ack();
    setTimeout(() => stop.abort(), 50);
  };
  const agent = await scene.agent({ host: "web-1", script });
  const { token } = await scene.sign({ sql: SQL });
  await assert.rejects(fetch(new URL("/v1/query?format=csv", scene.orchestrator.url), {
    method: "POST",
    body: SQL,
    headers: { "logvend-signature": token },
    signal: stop.signal,
  }));
  await eventually(() => agent.cancelled.length === 1);
});
