/** Sinks with certificates of an authority of their own: trusted when it is named, refused in words else. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { openSink } from "../../../../../agent/window/open_sink.ts";
import { unreachable } from "../../../../../agent/window/reach.ts";
import { authorityOf } from "../../../../../agent/window/sinks/authority.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { SinkConfig } from "../../../../../agent/window_config.ts";
import { LogvendError } from "../../../../../protocol/errors.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../../../../harness/mosquitto.ts";
import { freePort } from "../../../../harness/ports.ts";
import { KAFKA_IS_MISSING, startKafka } from "../../../../harness/sinks/kafka_cluster.ts";
import { startKafkaGate } from "../../../../harness/sinks/kafka_gate.ts";
import { newKinesis } from "../../../../harness/sinks/kinesis_server.ts";
import { OpenSearchServer } from "../../../../harness/sinks/opensearch_server.ts";
import { SplunkServer, TOKEN } from "../../../../harness/sinks/splunk_server.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { AUTHORITY, STRANGER, tlsOf } from "../../../../harness/tls.ts";
import { NO_END, outgoing } from "./documents.ts";

const NOT_TRUSTED = /authority of its certificate is not trusted here: ca names a PEM file/;

type Settings = Record<string, unknown>;

/** Sends one document; null: it was taken. */
async function failureOf(settings: Settings): Promise<string | null> {
  await using sink = await openSink(SinkConfig.parse({ name: "s", ...settings }));
  const sent = await sink.send(outgoing(1), NO_END).catch((error) => error);
  if (!(sent instanceof Error)) return null;
  assert.ok(sent instanceof SinkError && sent.facts.blames !== true, String(sent));
  return sent.message;
}

/** @param url of the settings, where there is one */
async function check(settings: Settings, url?: string) {
  const validated = (more: Settings) =>
    unreachable(SinkConfig.parse({ name: "s", ...settings, ...more }));
  assert.equal(await failureOf({ ...settings, ca: AUTHORITY }), null);
  assert.equal(await validated({ ca: AUTHORITY }), null);
  for (const more of [{}, { ca: STRANGER }]) {
    assert.match(await failureOf({ ...settings, ...more }) ?? "taken", NOT_TRUSTED);
    assert.match(await validated(more) ?? "reached", NOT_TRUSTED);
  }
  if (url === undefined) return;
  const other = { ca: AUTHORITY, url: url.replace("127.0.0.1", "127.0.0.2") };
  assert.match(await failureOf({ ...settings, ...other }) ?? "taken", /is for another name/);
  assert.match(await validated(other) ?? "reached", /is for another name/);
}

Deno.test("a webhook", async () => {
  await using server = Deno.serve(
    { hostname: "0.0.0.0", port: 0, onListen: () => {}, ...tlsOf(true) },
    async (request) => {
      await request.text();
      return new Response();
    },
  );
  const url = `https://127.0.0.1:${server.addr.port}/in?key=hidden`;
  await check({ type: "webhook", url }, url);
  assert.doesNotMatch(await failureOf({ type: "webhook", url }) ?? "", /hidden/);
});

Deno.test("OpenSearch", async () => {
  await using server = new OpenSearchServer({ tls: true });
  await check({ type: "opensearch", url: server.url });
  assert.equal(server.documents().length, 1);
});

Deno.test("Splunk", async () => {
  await using folder = await TempFolder.make();
  await using server = new SplunkServer({ acknowledges: true, tls: true });
  const token = { file: await folder.write("token", TOKEN) };
  await check({ type: "splunk", url: server.url, token });
  assert.equal(server.indexed.length, 1);
});

Deno.test("Kinesis", async () => {
  Deno.env.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  Deno.env.set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG");
  const ca = await Deno.readTextFile(AUTHORITY);
  const server = newKinesis({ ssl: true, ...tlsOf(true), ca });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { type: "kinesis", stream: "none", region: "eu-west-1", url };
  // The stream is not there: who says so has been spoken to.
  assert.match(await failureOf({ ...settings, ca: AUTHORITY }) ?? "", /ResourceNotFound/);
  assert.match(await failureOf({ ...settings, ca: STRANGER }) ?? "", NOT_TRUSTED);
  assert.match(await failureOf(settings) ?? "", NOT_TRUSTED);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  Deno.env.delete("AWS_ACCESS_KEY_ID");
  Deno.env.delete("AWS_SECRET_ACCESS_KEY");
});

Deno.test({
  name: "MQTT",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async () => {
    await using broker = await startMosquitto({ port: freePort(), tls: true });
    await check({ type: "mqtt", url: broker.url, topic: "windows" });
  },
});

Deno.test({
  name: "Kafka",
  ignore: KAFKA_IS_MISSING,
  fn: async () => {
    await using cluster = await startKafka("windows");
    await using gate = startKafkaGate({ brokers: cluster.brokers, tls: true, account: null });
    await check({ type: "kafka", brokers: gate.brokers, topic: "windows", tls: true });
  },
});

Deno.test("a file that holds no authority is said to be none, with its path", async () => {
  await using folder = await TempFolder.make();
  const check = async (text: string | null, reason: RegExp) => {
    const path = text === null ? folder.join("none.pem") : await folder.write("ca.pem", text);
    assert.throws(() => authorityOf(path), (error) => {
      assert.ok(error instanceof LogvendError && error.code === "bad_config");
      assert.ok(error.message.startsWith(`Cannot take the authority in ${path} (ca): `));
      assert.match(error.message, reason);
      return true;
    });
  };
  await check(null, /no such file/);
  await check("", /no certificate in PEM form/);
  await check("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", /cannot be read/);
  const two = await folder.write(
    "two.pem",
    await Deno.readTextFile(AUTHORITY) + await Deno.readTextFile(STRANGER),
  );
  assert.equal(authorityOf(two).length, 2);
});
