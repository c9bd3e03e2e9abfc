/** fanout/: one question to hosts that answer, and to hosts that do not, over a real broker. */
import assert from "node:assert/strict";
import { LogvendError } from "../../../../protocol/errors.ts";
import { UnansweredError } from "../../../../orchestrator/fanout/unanswered.ts";
import { eventually } from "../../../harness/eventually.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../../../harness/mosquitto.ts";
import { freePort } from "../../../harness/ports.ts";
import { error, logsWith, named, Scene } from "../scene.ts";
import { answering, silent } from "../scripted_agent.ts";
import type { Incoming } from "../scripted_agent.ts";

const COUNTS = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 1";

Deno.test("hosts' partial results are merged, and the coverage adds them up", async () => {
  await using scene = await Scene.start();
  const coverage = { chunks: 2, rows_scanned: 3, bytes_read: 100, rejects: 1, behind_bytes: 0 };
  await scene.agent({ host: "web-1", logs: logsWith([200, 200, 404]), coverage });
  await scene.agent({ host: "web-2", logs: logsWith([200, 500]), coverage });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [
    { status: 200, requests: 3 },
    { status: 404, requests: 1 },
    { status: 500, requests: 1 },
  ]);
  assert.deepEqual(end.coverage, {
    asked: 2,
    answered: 2,
    pruned: 0,
    missing: [],
    chunks: 4,
    rows_scanned: 6,
    bytes_read: 200,
    rejects: 2,
    gaps: { count: 0, bytes: 0 },
    lost: { files: 0, rows: 0 },
    behind: [],
  });
  assert.equal(end.mode, "aggregate");
  assert.match(end.query_id, /^q-[0-9a-f]{6}$/);
  assert.deepEqual(end.columns, [
    { name: "status", type: "INTEGER" },
    { name: "requests", type: "BIGINT" },
  ]);
});

Deno.test("a host that takes no query within ack_timeout is missing, and the others are not waited for longer", async () => {
  await using scene = await Scene.start({ ackTimeout: "3s" });
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const dead = await scene.agent({ host: "web-2", script: silent });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "no_ack", reason: "nothing within 3 s" },
  ]);
  await eventually(() => dead.cancelled.length === 1);
});

Deno.test("a host that refuses is named with its reason", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const refused = { code: "not_permitted", message: "clock 6 min ahead" };
  await scene.agent({ host: "web-2", script: ({ ack }) => ack({ accepted: false, refused }) });
  const { end } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "refused", reason: "clock 6 min ahead" },
  ]);
});

Deno.test("a host that dies while the query runs is missing at once", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({
    host: "web-2",
    logs: logsWith([200]),
    script: async ({ ack, send, compute, die }) => {
      ack();
      const { parts } = await compute();
      send({ seq: 0, parts });
      setTimeout(die, 50);
    },
  });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "lost", reason: "went away while the query ran" },
  ]);
});

Deno.test("a host that is still at work at the deadline is missing, and told to stop", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const slow = await scene.agent({ host: "web-2", script: ({ ack }) => ack() });
  const { end } = await scene.ask({ sql: COUNTS, limits: { timeout_ms: 6_000 } });
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "timeout", reason: "no result within 6 s" },
  ]);
  await eventually(() => slow.cancelled.length === 1);
});

Deno.test("a merge that takes too long is an error of its own, with another exit code than a partial answer", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith(Array.from({ length: 2_000 }, (_, i) => i)) });
  const on = "hash(a.status, b.status, c.status) % 1000 = 1";
  const sql = `SELECT count(*) FROM logs a JOIN logs b ON true JOIN logs c ON ${on}`;
  const thrown = await error(scene.ask({ sql, limits: { timeout_ms: 6_000 } }));
  assert.match(thrown.message, /were not merged within 6 s: no answer\. Raise --timeout/);
  assert.deepEqual([thrown.code, thrown.exitCode], ["timeout", 124]);
});

Deno.test("messages that come twice, late or in any order count once", async () => {
  await using scene = await Scene.start();
  await scene.agent({
    host: "web-1",
    logs: logsWith([200, 200, 404]),
    script: async ({ ack, send, compute }) => {
      ack();
      const { parts, end } = await compute();
      send({ seq: 1, parts: [], end });
      send({ seq: 1, parts: [], end });
      send({ seq: 0, parts });
      send({ seq: 0, parts });
      ack();
    },
  });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.equal(end.coverage.answered, 1);
  assert.deepEqual(rows, [{ status: 200, requests: 2 }, { status: 404, requests: 1 }]);
});

Deno.test("of a host that sends a table nobody asked for, none counts", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({
    host: "web-2",
    logs: logsWith([500]),
    script: async ({ ack, send, compute }) => {
      ack();
      const { parts, end } = await compute();
      const strange = parts.map((part) => ({ ...part, table: "../x" }));
      send({ seq: 0, parts: [...parts, ...strange], end });
    },
  });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
  const reason = 'sent a table "../x" that nobody asked for';
  assert.deepEqual(named(end.coverage.missing), [{ host: "web-2", kind: "failed", reason }]);
});

Deno.test("of a host whose rows are not as many as it says, none count", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const liar = async ({ ack, send, compute }: Incoming, rows: Record<string, number>) => {
    ack();
    const { parts, end } = await compute();
    send({ seq: 0, parts, end: end.ok ? { ...end, rows } : end });
  };
  const table = (await scene.explain(COUNTS)).partials[0]?.table ?? "";
  await scene.agent({
    host: "web-2",
    logs: logsWith([200]),
    script: (incoming) => liar(incoming, { [table]: 2 }),
  });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "failed", reason: "says it sent 2 rows, and 1 came" },
  ]);
});

Deno.test("rows of another shape than the plan's do not count, and spoil nothing", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({
    host: "web-2",
    logs: logsWith([200]),
    script: async ({ ack, send, compute }) => {
      ack();
      const { parts, end } = await compute();
      const wrong = parts.map((part) =>
        part.encoding === "text"
          ? { ...part, values: part.values.map((column) => column.map(() => "x")) }
          : part
      );
      send({ seq: 0, parts: wrong, end });
    },
  });
  const { end, rows } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
  assert.equal(end.coverage.missing[0]?.kind, "failed");
});

Deno.test("large results come in Parquet slices, every one of them acknowledged", async () => {
  await using scene = await Scene.start();
  const statuses = Array.from({ length: 5_000 }, (_, i) => 100 + i % 500);
  const agent = await scene.agent({
    host: "web-1",
    logs: logsWith(statuses),
    script: async ({ ack, send, compute, acknowledged }) => {
      ack();
      const { parts, end } = await compute({ textBytesMax: 0 });
      assert.ok(parts.length > 2 && parts.every((part) => part.encoding === "parquet"));
      for (const [seq, part] of parts.entries()) {
        const next = acknowledged();
        send({ seq, parts: [part] });
        assert.equal((await next).seq, seq);
      }
      send({ seq: parts.length, parts: [], end });
    },
  });
  const { rows } = await scene.ask({ sql: "SELECT status FROM logs ORDER BY 1" });
  assert.deepEqual(rows.map(({ status }) => status), statuses.toSorted((a, b) => a - b));
  assert.ok(agent.acknowledgements.length > 2);
  await eventually(() => [...Deno.readDirSync(`${scene.dataFolder}/scratch`)].length === 0);
});

Deno.test("a slice that is missing makes the host's answer fail, not shrink", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({
    host: "web-2",
    logs: logsWith(Array.from({ length: 5_000 }, (_, i) => i)),
    script: async ({ ack, send, compute }) => {
      ack();
      const { parts, end } = await compute({ textBytesMax: 0 });
      const [first, , ...others] = parts;
      send({ seq: 0, parts: first === undefined ? [] : [first] });
      send({ seq: 1, parts: others, end });
    },
  });
  const { end } = await scene.ask({ sql: "SELECT status FROM logs" });
  assert.equal(end.coverage.answered, 1);
  assert.match(end.coverage.missing[0]?.reason ?? "", /sent bytes at \d+ where \d+ was next/);
});

Deno.test("cancelling the request cancels it on every host", async () => {
  await using scene = await Scene.start();
  const stop = new AbortController();
  const agents = await Promise.all(["web-1", "web-2"].map((host) =>
    scene.agent({
      host,
      script: ({ ack }) => {
        ack();
        if (host === "web-2") setTimeout(() => stop.abort(new LogvendError("cancelled", "x")), 50);
      },
    })
  ));
  assert.equal((await error(scene.ask({ sql: COUNTS, signal: stop.signal }))).code, "cancelled");
  await eventually(() => agents.every((agent) => agent.cancelled.length === 1));
});

Deno.test("an error that every host has is the error of the query", async () => {
  await using scene = await Scene.start();
  const failed = { ok: false as const, error: { code: "bad_sql", message: "Division by zero!" } };
  for (const host of ["web-1", "web-2"]) {
    await scene.agent({
      host,
      script: ({ ack, send }) => {
        ack();
        send({ seq: 0, parts: [], end: failed });
      },
    });
  }
  const thrown = await error(scene.ask({ sql: COUNTS }));
  assert.equal(thrown.code, "bad_sql");
  assert.equal(thrown.message, "Division by zero!");
  await scene.agent({ host: "web-3", logs: logsWith([200]) });
  const { end } = await scene.ask({ sql: COUNTS });
  assert.deepEqual(end.coverage.missing.map(({ kind }) => kind), ["failed", "failed"]);
});

Deno.test("when nobody answers the error says who was missing", async () => {
  await using scene = await Scene.start();
  const none = await error(scene.ask({ sql: COUNTS }));
  assert.equal(none.code, "unavailable");
  assert.match(none.message, /^No host is known yet: logvend-agent run -c agent\.yaml adds one/);
  const agent = await scene.agent({ host: "web-1" });
  await agent[Symbol.asyncDispose]();
  await scene.hostIs("web-1", "offline");
  const offline = await error(scene.ask({ sql: COUNTS }));
  assert.ok(offline instanceof UnansweredError);
  assert.deepEqual(offline.coverage.missing.map(({ host }) => host), ["web-1"]);
});

Deno.test({
  name: "when the broker is lost a query ends at once, with the hosts that have answered",
  ignore: MOSQUITTO_IS_MISSING,
  async fn() {
    await using mosquitto = await startMosquitto({ port: freePort() });
    await using scene = await Scene.start({ broker: mosquitto.url });
    const hasAnswered = Promise.withResolvers<void>();
    await scene.agent({
      host: "web-1",
      logs: logsWith([200]),
      script: async (incoming) => {
        const taken = incoming.acknowledged();
        await answering(incoming);
        await taken;
        hasAnswered.resolve();
      },
    });
    const reason = `The MQTT broker ${mosquitto.url} is not reachable`;
    await scene.agent({
      host: "web-2",
      script: async ({ ack }) => {
        ack();
        await hasAnswered.promise;
        mosquitto.program.kill("SIGKILL");
      },
    });
    const { end, rows } = await scene.ask({ sql: COUNTS });
    assert.deepEqual(rows, [{ status: 200, requests: 1 }]);
    assert.deepEqual(named(end.coverage.missing), [{ host: "web-2", kind: "lost", reason }]);
    const nobody = await error(scene.ask({ sql: COUNTS }));
    assert.deepEqual([nobody.code, nobody.message], ["unavailable", reason]);
  },
});

Deno.test({
  name: "when the broker is lost before any host has answered, that is the error",
  ignore: MOSQUITTO_IS_MISSING,
  async fn() {
    await using mosquitto = await startMosquitto({ port: freePort() });
    await using scene = await Scene.start({ broker: mosquitto.url });
    await scene.agent({ host: "web-1", script: () => mosquitto.program.kill("SIGKILL") });
    const thrown = await error(scene.ask({ sql: COUNTS }));
    assert.equal(thrown.code, "unavailable");
    assert.equal(thrown.message, `The MQTT broker ${mosquitto.url} is not reachable`);
  },
});

Deno.test("too many rows over all hosts is refused, with what they would ship", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith(Array(30).fill(200)) });
  const error413 = { code: "too_many_rows", message: "60 rows", rows: 60, bytes: 600 };
  await scene.agent({
    host: "web-2",
    script: ({ ack, send }) => {
      ack();
      send({ seq: 0, parts: [], end: { ok: false, error: error413 } });
    },
  });
  const sql = "SELECT string_agg(request) FROM logs";
  const thrown = await error(scene.ask({ sql, limits: { rows_max: 50 } }));
  assert.equal(thrown.code, "too_many_rows");
  assert.match(thrown.message, /^Too many rows: about 90 .* from 2 hosts; the cap is 50 rows or/);
  assert.match(thrown.message, /Why rows: string_agg\(request\) at 1:8 cannot be merged/);
});

Deno.test("hosts that together send more than the byte limit end the query", async () => {
  await using scene = await Scene.start();
  const agent = await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const thrown = await error(scene.ask({ sql: COUNTS, limits: { bytes_max: 10 } }));
  assert.equal(thrown.code, "too_many_rows");
  assert.match(thrown.message, /^Too many rows: more than 10 B from 1 host/);
  await eventually(() => agent.cancelled.length === 1);
});

Deno.test("queries that run at once do not meet", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200, 200]), script: answering });
  const answers = await Promise.all(
    Array.from(
      { length: 5 },
      (_, i) => scene.ask({ sql: `SELECT count(*) + ${i} AS n FROM logs` }),
    ),
  );
  assert.deepEqual(answers.map(({ rows }) => rows[0]?.["n"]), [2, 3, 4, 5, 6]);
});

Deno.test("a question that no trusted key signed, or that was asked before, reaches no host", async () => {
  await using scene = await Scene.start({ ackTimeout: "1s" }); // nobody acknowledges
  let asked = 0;
  await scene.agent({ host: "web-1", script: () => void asked++ });
  const { token } = await scene.sign({ sql: COUNTS });
  const post = (sql: string, signature: string) =>
    fetch(new URL("/v1/query", scene.orchestrator.url), {
      method: "POST",
      body: sql,
      headers: { "logvend-signature": signature },
    });
  const altered = await post(`${COUNTS} `, token);
  assert.equal(altered.status, 403);
  assert.match((await altered.json()).error.message, /the SQL is not the one that was signed/);
  assert.equal((await (await post(COUNTS, "x.y.z")).json()).error.code, "not_permitted");
  assert.equal(asked, 0);
  await (await post(COUNTS, token)).body?.cancel();
  assert.match((await (await post(COUNTS, token)).json()).error.message, /made before/);
  assert.equal(asked, 1);
});
