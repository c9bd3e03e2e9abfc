/** The Splunk sink against a collector that indexes when it likes and says what is wrong. */
import assert from "node:assert/strict";
import type { WindowEvent } from "../../../../../agent/window/event.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { splunkSink } from "../../../../../agent/window/sinks/splunk.ts";
import type { SplunkOptions } from "../../../../../agent/window/sinks/splunk.ts";
import { SplunkServer, TOKEN } from "../../../../harness/sinks/splunk_server.ts";
import { NO_END, POST } from "./documents.ts";
import type { Outgoing } from "../../../../../agent/window/sinks/sink.ts";
import { holdsTheTruth } from "./scenario.ts";

function sinkTo(server: SplunkServer, options: Partial<SplunkOptions> = {}) {
  const { url } = server;
  const rest = { token: TOKEN, index: null, sourcetype: "logvend", acknowledges: true, post: POST };
  return splunkSink({ url, ...rest, ...options });
}

function events(count: number): Outgoing[] {
  return Array.from({ length: count }, (_, i) => {
    const body = JSON.stringify({ id: `id-${i}`, host: "web-1", count: i });
    return { id: `id-${i}`, revision: 1, kind: "event", at: "2026-11-22T18:00:00Z", body };
  });
}

Deno.test("events are indexed with time, host and source type, and taken when that is acknowledged", async () => {
  await using server = new SplunkServer();
  assert.deepEqual(await sinkTo(server, { index: "web" }).send(events(2), NO_END), {
    rejected: [],
    again: [],
  });
  assert.deepEqual(server.wrong, []);
  assert.deepEqual(server.indexed[1], {
    time: 1_795_370_400,
    host: "web-1",
    source: "logvend",
    sourcetype: "logvend",
    index: "web",
    event: { id: "id-1", host: "web-1", count: 1 },
  });
});

Deno.test("what is received and not indexed is not taken", async () => {
  await using server = new SplunkServer();
  server.indexes = false;
  await assert.rejects(sinkTo(server).send(events(1), AbortSignal.timeout(400)), /time/i);
  server.indexes = true;
  await sinkTo(server).send(events(1), NO_END);
  assert.equal(server.indexed.length, 1);
});

Deno.test("a token without acknowledgements is said to be one, or is taken at its word", async () => {
  await using server = new SplunkServer({ acknowledges: false });
  await assert.rejects(
    sinkTo(server).send(events(1), NO_END),
    /has no acknowledgements: enable them/,
  );
  await sinkTo(server, { acknowledges: false }).send(events(1), NO_END);
});

Deno.test("the event that the collector names is refused, the others come again", async () => {
  await using server = new SplunkServer();
  server.poisoned = new Set(["id-2"]);
  const { rejected, again } = await sinkTo(server).send(events(5), NO_END);
  assert.deepEqual(rejected.map(({ event: { id }, reason }) => [id, reason]), [[
    "id-2",
    "6 Invalid data format",
  ]]);
  assert.deepEqual(again.map(({ id }) => id), ["id-0", "id-1", "id-3", "id-4"]);
});

Deno.test("a wrong token or index is nobody's fault but the configuration's", async () => {
  await using server = new SplunkServer();
  const check = async (options: Partial<SplunkOptions>, message: RegExp) =>
    await assert.rejects(sinkTo(server, options).send(events(1), NO_END), (error) => {
      assert.ok(error instanceof SinkError && error.facts.blames !== true);
      assert.match(error.message, message);
      return true;
    });
  await check({ token: "other" }, /answered 403: .*Invalid token/);
  const body = JSON.stringify({ text: "Incorrect index", code: 7, "invalid-event-number": 0 });
  server.moods.push({ kind: "answer", status: 400, body });
  await check({}, /Incorrect index/);
  server.moods.push({ kind: "answer", status: 503, body: '{"text":"Server is busy","code":9}' });
  await check({}, /answered 503: .*busy/);
});

Deno.test("after late rows, faults, lost acknowledgements and restarts the newest of each id is the truth", async () => {
  await using server = new SplunkServer();
  const copies = await holdsTheTruth({
    open: () => sinkTo(server),
    disturb: (round) => {
      if (round === 0) server.moods.push({ kind: "answer", status: 503 }, { kind: "reset" });
      if (round === 1) server.moods.push({ kind: "slow", ms: 5 }, { kind: "reset after" });
      if (round === 2) server.indexes = false;
      if (round === 3) server.indexes = true;
      if (round === 4) server.moods.push({ kind: "slow", ms: 1_200 });
    },
    contents: () => server.indexed.map(({ event }) => event as unknown as WindowEvent),
  });
  assert.ok(copies > 1); // at least once, and here more often
  assert.deepEqual(server.wrong, []);
});
