/** The Kafka sink against librdkafka's brokers, which go down and come back. */
import assert from "node:assert/strict";
import { kafkaSink } from "../../../../../agent/window/sinks/kafka.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { freePort } from "../../../../harness/ports.ts";
import { KAFKA_IS_MISSING, startKafka } from "../../../../harness/sinks/kafka_cluster.ts";
import { NO_END, outgoing } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

const TOPIC = "windows";

Deno.test({
  name: "documents are messages with their id as key; equal keys lie in one partition",
  ignore: KAFKA_IS_MISSING,
  fn: async () => {
    await using cluster = await startKafka(TOPIC);
    await using sink = kafkaSink({
      brokers: cluster.brokers,
      topic: TOPIC,
      tls: false,
      sasl: null,
    });
    const events = outgoing(40);
    const long = { ...outgoing(1)[0]!, id: "long", body: "x".repeat(1_000_000) };
    const { rejected, again } = await sink.send([...events, long], NO_END);
    assert.deepEqual([rejected.map(({ event }) => event.id), again], [["long"], []]);
    await sink.send(events, NO_END);
    await eventually(() => cluster.messages().length === 80);
    const messages = cluster.messages();
    assert.deepEqual(
      new Set(messages.map(({ key, value }) => `${key} ${value}`)),
      new Set(events.map(({ id, body }) => `${id} ${body}`)),
    );
    const partitions = new Set(messages.map(({ key, partition }) => `${key} ${partition}`));
    assert.equal(partitions.size, 40);
    assert.ok(new Set(messages.map(({ partition }) => partition)).size > 1);
  },
});

Deno.test("a cluster that is not there is an error that says where", async () => {
  const broker = `127.0.0.1:${freePort()}`;
  await using sink = kafkaSink({ brokers: [broker], topic: TOPIC, tls: false, sasl: null });
  await assert.rejects(sink.send(outgoing(1), NO_END), (error) => {
    assert.ok(error instanceof SinkError && error.facts.blames !== true);
    assert.match(error.message, new RegExp(`^${broker}: `));
    return true;
  });
});

Deno.test({
  name:
    "after late rows, brokers that fail, go down and come back, and restarts the newest is the truth",
  ignore: KAFKA_IS_MISSING,
  fn: async () => {
    await using cluster = await startKafka(TOPIC);
    await holdsTheTruth({
      open: () => kafkaSink({ brokers: cluster.brokers, topic: TOPIC, tls: false, sasl: null }),
      disturb: async (round) => {
        if (round === 0) await cluster.tell("fail 3");
        if (round === 1) await cluster.tell("down 2");
        if (round === 3) await cluster.tell("up 2");
        if (round === 4) await cluster.tell("down 1");
        if (round === 5) await cluster.tell("up 1");
      },
      contents: () => cluster.messages().map(({ value }) => JSON.parse(value)),
      timeoutMs: 15_000,
    });
  },
});
