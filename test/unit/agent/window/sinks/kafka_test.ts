/** The Kafka sink against librdkafka's brokers, which go down and come back. */
import assert from "node:assert/strict";
import { kafkaSink } from "../../../../../agent/window/sinks/kafka.ts";
import type { KafkaOptions } from "../../../../../agent/window/sinks/kafka.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { freePort } from "../../../../harness/ports.ts";
import { KAFKA_IS_MISSING, startKafka } from "../../../../harness/sinks/kafka_cluster.ts";
import { startKafkaGate } from "../../../../harness/sinks/kafka_gate.ts";
import { AUTHORITY } from "../../../../harness/tls.ts";
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
      tls: null,
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

const SECRET = { username: "log=s,1", password: "pass,w=ord" };

/** Each with one of the three forms of SaslAuthenticate that brokers may offer at most. */
const WAYS_IN = [["PLAIN", 0], ["SCRAM-SHA-256", 1], ["SCRAM-SHA-512", 2]] as const;

for (const [mechanism, authenticateMax] of WAYS_IN) {
  Deno.test({
    name: `behind TLS and ${mechanism} all arrives, and a wrong password is said to be wrong`,
    ignore: KAFKA_IS_MISSING,
    fn: async () => {
      await using cluster = await startKafka(TOPIC);
      const account = { mechanism, ...SECRET };
      const { brokers } = cluster;
      await using gate = startKafkaGate({ brokers, tls: true, account, authenticateMax });
      const tls = { authority: [await Deno.readTextFile(AUTHORITY)] };
      const options = { brokers: gate.brokers, topic: TOPIC, tls, sasl: account };
      {
        await using sink = kafkaSink(options);
        assert.deepEqual(await sink.send(outgoing(40), NO_END), { rejected: [], again: [] });
      }
      await eventually(() => cluster.messages().length === 40);
      assert.ok(gate.admitted >= 2); // at least one is not the bootstrap's, and leads partitions
      const refusals = () => gate.refused.join("; ");
      assert.equal(refusals(), "");
      const refused = async (sasl: KafkaOptions["sasl"], message: RegExp) => {
        await using sink = kafkaSink({ ...options, sasl });
        await assert.rejects(sink.send(outgoing(1), NO_END), message);
      };
      await refused({ ...account, password: "other" }, /SASL authentication failed/);
      assert.match(refusals(), /wrong (name or )?password/);
      const other = mechanism === "PLAIN" ? "SCRAM-SHA-256" : "PLAIN";
      await Promise.all([ // side by side: what refuses them takes its time, not the CPU's
        refused({ ...account, username: "nobody" }, /SASL authentication failed/),
        refused(
          { ...account, mechanism: other },
          /does not support the requested SASL mechanism/,
        ),
        refused(null, /hangs up: does it want tls, or sasl/),
      ]);
      assert.match(refusals(), /has not said who it is/);
      assert.equal(cluster.messages().length, 40);
    },
  });
}

Deno.test("a cluster that is not there is an error that says where", async () => {
  const broker = `127.0.0.1:${freePort()}`;
  await using sink = kafkaSink({ brokers: [broker], topic: TOPIC, tls: null, sasl: null });
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
      open: () => kafkaSink({ brokers: cluster.brokers, topic: TOPIC, tls: null, sasl: null }),
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
