/** The MQTT sink against a real Mosquitto, which is killed and comes back. */
import assert from "node:assert/strict";
import mqtt from "mqtt";
import { mqttSink } from "../../../../../agent/window/sinks/mqtt.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import type { Outgoing } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../../../../harness/mosquitto.ts";
import { freePort } from "../../../../harness/ports.ts";
import { NO_END, outgoing } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

const TOPIC = "fleet/windows";
const MARK = "fleet/mark";

async function listener(url: string) {
  const got: string[] = [];
  const client = await mqtt.connectAsync(url);
  const marked = Promise.withResolvers<void>();
  client.on("message", (topic, payload) => {
    if (topic === MARK) marked.resolve();
    else got.push(payload.toString());
  });
  await client.subscribeAsync([TOPIC, MARK], { qos: 1 });
  return {
    got,
    /** All that the broker has acknowledged until now has been heard. */
    async hearAll() {
      await client.publishAsync(MARK, "");
      await marked.promise;
    },
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}

Deno.test({
  name: "each document is a message that the broker has acknowledged, also after it was killed",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async () => {
    const port = freePort();
    await using sink = mqttSink({ url: `mqtt://127.0.0.1:${port}`, topic: TOPIC, authority: [] });
    await assert.rejects(sink.send(outgoing(1), NO_END), SinkError);
    {
      await using broker = await startMosquitto({ port });
      await using reader = await listener(broker.url);
      const events = outgoing(50);
      assert.deepEqual(await sink.send(events, NO_END), { rejected: [], again: [] });
      await eventually(() => reader.got.length === 50);
      assert.deepEqual(reader.got, events.map(({ body }) => body));
      broker.program.kill("SIGKILL");
      await broker.program.ended();
    }
    await assert.rejects(sink.send(outgoing(1), NO_END), SinkError);
    await using broker = await startMosquitto({ port });
    await using reader = await listener(broker.url);
    await sink.send(outgoing(5), NO_END);
    await eventually(() => reader.got.length === 5);
  },
});

Deno.test({
  name: "a message that no broker would take is put aside, the others go",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async () => {
    await using broker = await startMosquitto({ port: freePort() });
    await using reader = await listener(broker.url);
    await using sink = mqttSink({ url: broker.url, topic: TOPIC, authority: [] });
    const long: Outgoing = { ...outgoing(1)[0]!, id: "long", body: "x".repeat(200_000) };
    const { rejected } = await sink.send([...outgoing(2), long], NO_END);
    assert.deepEqual(rejected.map(({ event }) => event.id), ["long"]);
    await eventually(() => reader.got.length === 2);
  },
});

Deno.test({
  name:
    "after late rows, a broker that is killed and comes back, and restarts the newest is the truth",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async () => {
    const port = freePort();
    const got: string[] = [];
    let broker = await startMosquitto({ port });
    let reader = await listener(broker.url);
    let isHeard = true;
    let sending: Promise<unknown> = Promise.resolve();
    const end = async (signal: Deno.Signal) => {
      isHeard = false;
      await Promise.allSettled([sending]);
      await reader.hearAll();
      got.push(...reader.got);
      await reader[Symbol.asyncDispose]();
      broker.program.kill(signal);
      await broker[Symbol.asyncDispose]();
    };
    await holdsTheTruth({
      open: () => {
        const sink = mqttSink({ url: `mqtt://127.0.0.1:${port}`, topic: TOPIC, authority: [] });
        return {
          // A broker without persistence forgets what nobody listens to.
          send: async (events, signal) => {
            if (!isHeard) throw new Error("nobody listens");
            const sent = sink.send(events, signal);
            sending = sent;
            return await sent;
          },
          [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
        };
      },
      disturb: async (round) => {
        if (round === 1) await end("SIGKILL");
        if (round !== 3) return;
        broker = await startMosquitto({ port });
        reader = await listener(broker.url);
        isHeard = true;
      },
      contents: () => [...got, ...reader.got].map((text) => JSON.parse(text)),
    });
    await end("SIGTERM");
  },
});
