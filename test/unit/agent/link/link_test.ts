/** The agent's link, against a real broker. */
import assert from "node:assert/strict";
import { configureSync, resetSync } from "@logtape/logtape";
import type { LogRecord } from "@logtape/logtape";
import { Link } from "../../../../agent/link/link.ts";
import type { HostAnswer, HostAnswerer } from "../../../../agent/store/answer.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { MESSAGE_BYTES_MAX, seal } from "../../../../protocol/wire/envelope.ts";
import { RESULTS_IN_FLIGHT_MAX } from "../../../../protocol/wire/messages.ts";
import type { ResultMessage } from "../../../../protocol/wire/messages.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import { PLAN_VERSION, PLAN_VERSIONS } from "../../../../queries/plan/planner.ts";
import { eventually } from "../../../harness/eventually.ts";
import { freePort } from "../../../harness/ports.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { turnsOf } from "../../../harness/turns.ts";
import { Orchestrator, startBroker, STATS } from "./fleet.ts";
import type { Asked } from "./fleet.ts";
import {
  answerOf,
  answerOneRow,
  COVERAGE,
  fleet,
  HOST,
  linkOptions,
  ONE_ROW,
  SQL,
} from "./linked.ts";

Deno.test("a signed query is acknowledged and answered in one message", async () => {
  await using here = await fleet();
  const { request } = await here.orchestrator.ask(SQL);
  assert.deepEqual(await here.orchestrator.ack(request), { request, accepted: true });
  const [message, ...more] = await here.orchestrator.answer(request);
  assert.equal(more.length, 0);
  assert.equal(message?.seq, 0);
  assert.deepEqual(message?.parts, [{
    table: "partial",
    encoding: "text",
    columns: [{ name: "requests", type: "BIGINT" }],
    values: [["42"]],
  }]);
  assert(message?.end?.ok);
  assert.deepEqual(message.end.rows, { partial: 1 });
  assert.deepEqual(message.end.coverage, COVERAGE);
});

Deno.test("what must not be answered is refused with a reason, and does not run", async (t) => {
  await using here = await fleet();
  const { orchestrator } = here;
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  const nowMs = Date.now();

  async function check(name: string, reason: RegExp, different: Asked, code = "not_permitted") {
    await t.step(name, async () => {
      const { request } = await orchestrator.ask(SQL, different);
      const { accepted, refused } = await orchestrator.ack(request);
      assert.equal(accepted, false);
      assert.equal(refused?.code, code);
      assert.match(refused?.message ?? "", reason);
    });
  }

  await check("unsigned", /not signed by an operator key/, { sent: { token: "" } });
  await check("signed by a key that is not pinned", /is not pinned here/, { key: stranger });
  await check("altered SQL", /not the one that was signed/, { sent: { sql: "SELECT 1" } });
  await check("altered tables", /tables of --with are not those that were signed/, {
    sent: { broadcast: "H4sIAAAAAAAAA4uOBQApu0wNAgAAAA==" },
  });
  await check("another request's signature", /that of another request/, {
    sent: { request: crypto.randomUUID() },
  });
  await check("expired", /expired [1-9]\d+ s ago/, {
    issued_at_ms: nowMs - 70_000,
    expires_at_ms: nowMs - 10_000,
  });
  await check("signed in the future", /signed \d{2,3} s in the future/, {
    issued_at_ms: nowMs + 150_000,
    expires_at_ms: nowMs + 180_000,
  });
  await check("signed for an hour", /longer than 5 minutes/, { expires_at_ms: nowMs + 3_600_000 });
  await check("another host", /"host = web-2" does not select this host/, {
    selector: "host = web-2",
  });
  await check("a selector that is none", /./, { selector: "host =" }, "usage");
  await check("another plan version", /plan version/, {
    sent: { plan_version: PLAN_VERSION + 1 },
  }, "unavailable");
  assert.deepEqual(here.runs, []);
});

Deno.test("an agent without pinned keys answers nobody", async () => {
  await using here = await fleet(answerOneRow, { trust: [] });
  const { request } = await here.orchestrator.ask(SQL);
  assert.match((await here.orchestrator.ack(request)).refused?.message ?? "", /not pinned here/);
});

Deno.test("a selector over labels, host and region selects this host", async () => {
  await using here = await fleet();
  const { request } = await here.orchestrator.ask(SQL, {
    selector: "service = web-server and region in (eu-west-1) and host = web-1",
  });
  assert.equal((await here.orchestrator.ack(request)).accepted, true);
});

Deno.test("a replayed request is refused, and runs once", async () => {
  await using here = await fleet();
  const { orchestrator } = here;
  const body = await orchestrator.ask(SQL);
  await orchestrator.answer(body.request);
  orchestrator.command("query", body);
  await eventually(() => orchestrator.acks.length === 2);
  assert.equal(orchestrator.acks[1]?.refused?.message, "seen before");
  assert.equal(here.runs.length, 1);
});

Deno.test("what is to be explained is checked like a query, once, and is none in the log", async () => {
  const remembered: unknown[] = [];
  const seen = new Set<string>();
  const ended: string[] = [];
  const refuse = () => Promise.reject(new LogvendError("not_permitted", "policy.x of this host"));
  await using here = await fleet(
    (query) => {
      assert(query.explain);
      return query.sql === SQL ? Promise.resolve(answerOf([])) : refuse();
    },
    {
      isKnown: (id) => seen.has(id),
      remember: (id, _, query) => {
        seen.add(id);
        remembered.push(query);
      },
      endQuery: (id) => ended.push(id),
    },
  );
  const { orchestrator } = here;
  const body = await orchestrator.ask(SQL, { type: "explain", explain: true });
  const [message] = await orchestrator.answer(body.request);
  assert.deepEqual(message?.parts, []);
  assert(message?.end?.ok);
  for (const type of ["explain", "query"]) {
    orchestrator.acks.length = 0;
    orchestrator.command(type, body);
    assert.equal((await orchestrator.ack(body.request)).accepted, false, type);
  }
  const refused = await orchestrator.ask("SELECT 1", { type: "explain" });
  const [end] = await orchestrator.answer(refused.request);
  assert(end?.end?.ok === false);
  assert.equal(end.end.error.message, "policy.x of this host");
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  const unknown = await orchestrator.ask(SQL, { type: "explain", key: stranger });
  assert.match((await orchestrator.ack(unknown.request)).refused?.message ?? "", /not pinned/);
  const run = await orchestrator.ask(SQL, { explain: true });
  const { refused: told } = await orchestrator.ack(run.request);
  assert.equal(told?.message, "it was signed to be explained, not to be run");
  assert.deepEqual([here.runs, remembered, ended], [[SQL, "SELECT 1"], [undefined, undefined], []]);
});

Deno.test("of the archive, what was signed to be explained may be listed, and not read", async () => {
  await using here = await fleet();
  for (const kind of ["list", "read"]) {
    const id = crypto.randomUUID();
    const sent = { request: crypto.randomUUID(), archive: { kind, of: id, chunks: [] } };
    const claims = { id, source: "archive" as const, explain: true };
    const { request } = await here.orchestrator.ask(SQL, { ...claims, sent });
    const { accepted, refused } = await here.orchestrator.ack(request);
    assert.equal(accepted, kind === "list", refused?.message);
  }
});

Deno.test("a request that cannot be remembered is not answered", async () => {
  await using here = await fleet(answerOneRow, {
    remember: () => {
      throw new Error("No space left on device");
    },
  });
  const { request } = await here.orchestrator.ask(SQL);
  const [message] = await here.orchestrator.answer(request);
  assert.deepEqual(message?.parts, []);
  assert(message?.end?.ok === false);
  assert.match(message.end.error.message, /No space left/);
});

Deno.test("a command delivered twice while it runs is acknowledged twice, and runs once", async () => {
  const { promise, resolve } = Promise.withResolvers<HostAnswer>();
  await using here = await fleet(() => promise);
  const { orchestrator } = here;
  const body = await orchestrator.ask(SQL);
  await orchestrator.ack(body.request);
  orchestrator.command("query", body);
  await eventually(() => orchestrator.acks.length === 2);
  resolve(answerOf(ONE_ROW));
  await orchestrator.answer(body.request);
  assert.deepEqual(orchestrator.acks.map(({ accepted }) => accepted), [true, true]);
  assert.equal(here.runs.length, 1);
});

Deno.test("a failing query ends with its error", async () => {
  await using here = await fleet(() =>
    Promise.reject(
      new LogvendError("too_many_rows", "Too many", { details: { rows: 7, bytes: 70 } }),
    )
  );
  const { request } = await here.orchestrator.ask(SQL);
  const [message] = await here.orchestrator.answer(request);
  assert.deepEqual(message?.end, {
    ok: false,
    error: { code: "too_many_rows", message: "Too many", rows: 7, bytes: 70 },
  });
});

/** Runs until it is stopped. */
const answerNever: HostAnswerer = (_query, signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

Deno.test("a cancelled query stops and says so", async () => {
  await using here = await fleet(answerNever);
  const { request } = await here.orchestrator.ask(SQL);
  await here.orchestrator.ack(request);
  here.orchestrator.command("cancel", { request });
  const [message] = await here.orchestrator.answer(request);
  assert(message?.end?.ok === false);
  assert.equal(message.end.error.code, "cancelled");
});

Deno.test("what is no command is counted, and the agent goes on", async () => {
  await using here = await fleet();
  const { orchestrator } = here;
  orchestrator.raw(new TextEncoder().encode("no json"));
  orchestrator.raw(new Uint8Array(MESSAGE_BYTES_MAX + 1));
  orchestrator.raw(new Uint8Array());
  orchestrator.command("dance", {});
  orchestrator.command("query", { request: "7" });
  orchestrator.raw(seal({ type: "cancel", body: null, issuedAtMs: 0 }));
  await eventually(() => here.link.counts.malformed === 6);
  const { request } = await orchestrator.ask(SQL);
  await orchestrator.answer(request);
  assert.deepEqual(here.link.counts, { accepted: 1, refused: 0, malformed: 6 });
});

Deno.test("a large answer travels in messages that fit, few of them unacknowledged", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const whole = new Uint8Array(bytes.length * 20);
  for (let i = 0; i < 20; i++) whole.set(bytes.map((byte) => byte ^ i), i * bytes.length);
  await using folder = await TempFolder.make();
  const file = await folder.write("rows.parquet", whole);
  await using here = await fleet(() =>
    Promise.resolve(answerOf([...ONE_ROW, {
      table: "rows",
      rows: 12_345,
      bytes: whole.length,
      encoding: "parquet",
      file,
    }]))
  );
  const { orchestrator } = here;
  orchestrator.acknowledging = false;
  const { request } = await orchestrator.ask(SQL);
  await eventually(() => orchestrator.results.length === RESULTS_IN_FLIGHT_MAX);
  // The agent has them all out, and must wait now: a message more would arrive before this ack.
  const refused = await orchestrator.ask(SQL, { sent: { token: "" } });
  await orchestrator.ack(refused.request);
  assert.equal(orchestrator.results.length, RESULTS_IN_FLIGHT_MAX);
  orchestrator.acknowledging = true;
  for (const result of [...orchestrator.results]) orchestrator.acknowledge(result);

  const messages = await orchestrator.answer(request);
  assert(Math.max(...orchestrator.messageBytes) <= MESSAGE_BYTES_MAX);
  assert.deepEqual(messages.map(({ seq }) => seq), messages.map((_, i) => i));
  assert.deepEqual(joined(messages), whole);
  const end = messages.at(-1)?.end;
  assert(end?.ok);
  assert.deepEqual(end.rows, { partial: 1, rows: 12_345 });
});

function joined(messages: readonly ResultMessage[]): Uint8Array {
  const slices: Uint8Array[] = [];
  let length = 0;
  for (const part of messages.flatMap(({ parts }) => parts)) {
    if (part.encoding !== "parquet") continue;
    assert.equal(part.offset, length);
    const slice = Uint8Array.fromBase64(part.base64);
    slices.push(slice);
    length += slice.length;
  }
  return new Uint8Array(Buffer.concat(slices));
}

Deno.test("presence is retained, and says offline after a graceful end", async () => {
  await using broker = await startBroker();
  await using orchestrator = await Orchestrator.connect(broker.url, HOST);
  {
    await using _link = new Link(linkOptions(broker.url, {}));
    const presence = await eventually(() => orchestrator.presences[0]);
    const { host, region, labels, state, plan_versions, commands, streams, stats } = presence;
    assert.deepEqual({ host, region, labels, state, plan_versions, commands, streams, stats }, {
      host: HOST,
      region: "eu-west-1",
      labels: { service: "web-server" },
      state: "online",
      plan_versions: [...PLAN_VERSIONS],
      commands: ["tail", "explain", "erase"],
      streams: ["logs"],
      stats: STATS,
    });
  }
  await eventually(() => orchestrator.presences.at(-1)?.state === "offline");
  await using late = await Orchestrator.connect(broker.url, HOST);
  assert.equal((await eventually(() => late.presences[0])).state, "offline");
});

Deno.test("a broken connection is taken up again, with its subscription and presence", async () => {
  await using broker = await startBroker();
  await using orchestrator = await Orchestrator.connect(broker.url, HOST);
  const { publicKey } = orchestrator.key;
  await using link = new Link(linkOptions(broker.url, { trust: [publicKey] }));
  await eventually(() => orchestrator.presences.length === 1);
  const before = broker.arrivals.filter((id) => id.endsWith(HOST)).length;
  broker.breakConnections();
  // Not "until it is disconnected": a first attempt after a millisecond is there before a look.
  await eventually(() => broker.arrivals.filter((id) => id.endsWith(HOST)).length > before);
  await using late = await Orchestrator.connect(broker.url, HOST);
  const will = await eventually(() => late.presences[0]);
  const back = await eventually(() => late.presences.find(({ state }) => state === "online"));
  assert(will.state === "offline" || will === back);
  await eventually(() => link.connected);
  const { request } = await late.ask(SQL, { key: orchestrator.key });
  assert.equal((await late.ack(request)).accepted, true);
  await late.answer(request);
});

Deno.test("a stopping agent stops its queries and says why", async () => {
  await using here = await fleet(answerNever);
  const { request } = await here.orchestrator.ask(SQL);
  await here.orchestrator.ack(request);
  await here.link[Symbol.asyncDispose]();
  const [message] = await here.orchestrator.answer(request);
  assert(message?.end?.ok === false);
  assert.equal(message.end.error.message, "The agent is stopping");
});

Deno.test("a broker that is down is one warning, and found when it comes up", async () => {
  const records: LogRecord[] = [];
  configureSync({
    sinks: { records: (record) => records.push(record) },
    loggers: [
      { category: "agent", sinks: ["records"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    const port = freePort();
    await using link = new Link(linkOptions(`mqtt://user:secret@127.0.0.1:${port}`, {}));
    await eventually(() => records.length > 0);
    await using _broker = await startBroker(port);
    await eventually(() => link.connected);
    assert.deepEqual(records.map(({ level }) => level), ["warning", "info"]);
    assert(!JSON.stringify(records).includes("secret"));
  } finally {
    resetSync();
  }
});

Deno.test("an agent whose broker is away ends at once", async () => {
  const port = freePort();
  const link = new Link(linkOptions(`mqtt://127.0.0.1:${port}`, {}));
  assert(await turnsOf(link[Symbol.asyncDispose]()) < 1_000);
});
