/** Tails over the fleet: who is at it, who is named, and what a host may do without harm. */
import assert from "node:assert/strict";
import { signTail } from "../../../../orchestrator/access/sign.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { UnansweredError } from "../../../../orchestrator/fanout/unanswered.ts";
import { eventually } from "../../../harness/eventually.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../../../harness/mosquitto.ts";
import { freePorts } from "../../../harness/ports.ts";
import { error, named, Scene } from "../scene.ts";
import type { IncomingTail } from "../scripted_agent.ts";

/** What a tail tells, in short. */
async function tailing(
  scene: Scene,
  { signal, told = [], selector = "" }: { signal: AbortSignal; told?: string[]; selector?: string },
): Promise<string[]> {
  const condition = "status = 500";
  const { key } = scene;
  const signed = { condition, stream: "logs", selector, rate: 100, key, nowMs: Date.now() };
  const token = await signTail(signed);
  const client = new ApiClient(scene.orchestrator.url);
  for await (const event of client.tail({ sql: condition, token, signal })) {
    if (event.type === "started") told.push(`started ${event.answered}`);
    if (event.type === "lines") {
      told.push(...event.lines.map(({ host, line }) => `${host}: ${line}`));
    }
    if (event.type === "joined") told.push(`joined ${event.hosts}`);
    if (event.type === "left_out") told.push(`left out ${event.left_out}, ${event.unchecked}`);
    if (event.type === "started" || event.type === "missing") {
      told.push(
        ...named(event.missing).map(({ host, kind, reason }) => `${host} ${kind}: ${reason}`),
      );
    }
  }
  return told;
}

const lines = (...texts: string[]) => texts.map((line, i) => ({ ts_us: i, line }));

Deno.test("hosts that cannot tail are named; what comes twice is shown once; all are told the end", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "old-1" });
  const stop = new AbortController();
  const alone = await error(tailing(scene, { signal: stop.signal }));
  assert.ok(alone instanceof UnansweredError);
  const old = "agent 0.1.0 cannot tail: upgrade it";
  assert.deepEqual(named(alone.coverage.missing), [{
    host: "old-1",
    kind: "refused",
    reason: old,
  }]);

  let dying: IncomingTail | undefined;
  const good = await scene.agent({
    host: "web-1",
    tail: ({ command, send }) => {
      assert.equal(command.rate, 67); // twice its third of what was signed
      send({ seq: 0 });
      for (const seq of [1, 1, 2, 1]) {
        send({ seq, lines: lines(`message ${seq}`), left_out: 4 * seq });
      }
    },
  });
  await scene.agent({
    host: "web-2",
    tail: (incoming) => {
      incoming.send({ seq: 0 });
      dying = incoming;
    },
  });
  await scene.agent({
    host: "web-3",
    tail: ({ send }) => send({ seq: 0, end: { code: "unavailable", message: "has no stream" } }),
  });
  const told: string[] = [];
  const ended = tailing(scene, { signal: stop.signal, told });
  await eventually(() => told.includes("left out 8, 0"));
  dying?.die();
  await eventually(() => told.some((line) => line.startsWith("web-2 lost")));
  stop.abort();
  await assert.rejects(ended, { name: "AbortError" });
  await eventually(() => good.cancelled.length === 1);
  const isLeftOut = (line: string) => line.startsWith("left out");
  assert.equal(told.findLast(isLeftOut), "left out 8, 0"); // maybe 4 before
  assert.deepEqual(told.filter((line) => !isLeftOut(line)), [
    "started 2",
    `old-1 refused: ${old}`,
    "web-3 refused: has no stream",
    "web-1: message 1",
    "web-1: message 2",
    "web-2 lost: went away",
  ]);
});

Deno.test("hosts that come later or come back join a tail, if they are meant", async () => {
  await using scene = await Scene.start();
  const stop = new AbortController();
  const told: string[] = [];
  let first: IncomingTail | undefined;
  const speaking = (text: string) => ({ send }: IncomingTail) => {
    send({ seq: 0 });
    send({ seq: 1, lines: lines(text), left_out: 2 });
  };
  await scene.agent({
    host: "web-1",
    tail: (incoming) => {
      first = incoming;
      speaking("before")(incoming);
    },
  });
  const ended = tailing(scene, { signal: stop.signal, told, selector: "host in (web-1, web-2)" });
  await eventually(() => told.includes("left out 2, 0"));
  first?.die(); // nobody is left, and the tail goes on
  await eventually(() => told.some((line) => line.startsWith("web-1 lost")));
  await scene.agent({ host: "web-3", tail: speaking("not meant") });
  await scene.agent({ host: "web-2", tail: speaking("later") });
  await eventually(() => told.includes("web-2: later"));
  const again = await scene.agent({ host: "web-1", tail: speaking("again") });
  await eventually(() => told.includes("web-1: again") && told.includes("left out 6, 0"));
  stop.abort();
  await assert.rejects(ended, { name: "AbortError" });
  await eventually(() => again.cancelled.length === 1);
  assert.deepEqual(told.filter((line) => !line.startsWith("left out")), [
    "started 1",
    "web-2 unknown: never seen",
    "web-1: before",
    "web-1 lost: went away",
    "joined web-2",
    "web-2: later",
    "joined web-1",
    "web-1: again",
  ]);
});

Deno.test({
  name: "a tail ends with an error when the broker is lost, or the last host",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async () => {
    const [port = 0] = freePorts(1);
    await using broker = await startMosquitto({ port });
    await using scene = await Scene.start({ broker: `mqtt://127.0.0.1:${port}` });
    let ending: IncomingTail | undefined;
    await scene.agent({
      host: "web-1",
      tail: (incoming) => {
        incoming.send({ seq: 0 });
        ending = incoming;
      },
    });
    const told: string[] = [];
    const { signal } = new AbortController();
    const left = error(tailing(scene, { signal, told }));
    await eventually(() => told.length === 1);
    ending?.send({ seq: 1, lines: lines("last"), end: { code: "timeout", message: "over" } });
    assert.equal((await left).message, "No host is left to tail");
    assert.deepEqual(told, ["started 1", "web-1: last", "web-1 lost: over"]);
    await scene.agent({ host: "web-2", tail: ({ send }) => send({ seq: 0 }) });
    const heard: string[] = [];
    const lost = error(tailing(scene, { signal, told: heard }));
    await eventually(() => heard.length > 0);
    broker.program.kill("SIGKILL");
    assert.match((await lost).message, /The MQTT broker .* is not reachable/);
  },
});
