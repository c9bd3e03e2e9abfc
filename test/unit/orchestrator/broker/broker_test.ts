/** broker/: the embedded broker, and the connection that outlives it. */
import assert from "node:assert/strict";
import { BrokerConnection } from "../../../../protocol/wire/broker_connection.ts";
import type { ReceivedMessage } from "../../../../protocol/wire/broker_connection.ts";
import { startEmbeddedBroker } from "../../../../orchestrator/broker/embedded.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { eventually } from "../../../harness/eventually.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../../../harness/mosquitto.ts";
import { freePort } from "../../../harness/ports.ts";
import { turnsOf } from "../../../harness/turns.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

function connect(url: string, received: ReceivedMessage[] = []): BrokerConnection {
  return new BrokerConnection({
    url,
    clientId: `test-${crypto.randomUUID()}`,
    topics: ["a/+"],
    reconnectMaxMs: 1_000,
    logCategory: ["test"],
    onMessage: (message) => received.push(message),
  });
}

function texts(messages: readonly ReceivedMessage[]): string[] {
  return messages.map(({ topic, payload, retained }) =>
    `${topic} ${new TextDecoder().decode(payload)}${retained ? " (retained)" : ""}`
  );
}

async function roundTrip(url: string) {
  const received: ReceivedMessage[] = [];
  await using connection = connect(url, received);
  await eventually(() => connection.connected);
  connection.publishNow({ topic: "a/1", payload: new TextEncoder().encode("hello") });
  await eventually(() => received.length === 1);
  assert.deepEqual(texts(received), ["a/1 hello"]);
}

Deno.test("messages pass the embedded broker", async () => {
  await using broker = await startEmbeddedBroker(LOOPBACK);
  await roundTrip(broker.url);
});

Deno.test("a port in use is said to be in use", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await assert.rejects(
    startEmbeddedBroker({ ...LOOPBACK, port }),
    (error) =>
      error instanceof LogvendError && error.code === "unavailable" &&
      error.message.includes(`127.0.0.1:${port}: the port is in use`),
  );
});

Deno.test("a round trip takes milliseconds: nothing waits for delayed acknowledgements", async () => {
  await using broker = await startEmbeddedBroker(LOOPBACK);
  const received: ReceivedMessage[] = [];
  await using connection = connect(broker.url, received);
  await eventually(() => connection.connected);
  const turns: number[] = [];
  for (let i = 0; i < 20; i++) {
    connection.publishNow({ topic: "a/1", payload: new Uint8Array(2_000) });
    turns.push(await turnsOf(until(() => received.length > i)));
  }
  assert.ok((turns.toSorted((a, b) => a - b)[10] ?? Infinity) < 20, String(turns));
});

async function until(look: () => boolean) {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("without a broker a message is refused, not queued; the connection comes by itself", async () => {
  const port = freePort();
  const received: ReceivedMessage[] = [];
  await using connection = connect(`mqtt://user:secret@127.0.0.1:${port}`, received);
  assert.throws(
    () => connection.publishNow({ topic: "a/1", payload: new Uint8Array() }),
    (error) =>
      error instanceof LogvendError && error.code === "unavailable" &&
      !error.message.includes("secret"),
  );
  await using _broker = await startEmbeddedBroker({ ...LOOPBACK, port });
  await eventually(() => connection.connected);
  assert.deepEqual(received, []);
});

Deno.test({
  name: "messages pass Mosquitto, and a lost broker is found again",
  ignore: MOSQUITTO_IS_MISSING,
  async fn() {
    const port = freePort();
    const received: ReceivedMessage[] = [];
    await using first = await startMosquitto({ port });
    await roundTrip(first.url);
    await using connection = connect(first.url, received);
    await eventually(() => connection.connected);
    await first[Symbol.asyncDispose]();
    await eventually(() => !connection.connected);
    await using _second = await startMosquitto({ port });
    await eventually(() => connection.connected);
    connection.publishNow({ topic: "a/2", payload: new TextEncoder().encode("again") });
    await eventually(() => received.length === 1);
    assert.deepEqual(texts(received), ["a/2 again"]);
  },
});
