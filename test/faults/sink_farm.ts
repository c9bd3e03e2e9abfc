/** A sink of every kind, each of which can be brought into trouble, and what has arrived in it. */
import mqtt from "mqtt";
import type { WindowEvent } from "../../agent/window/event.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "../harness/mosquitto.ts";
import type { Mosquitto } from "../harness/mosquitto.ts";
import { freePort } from "../harness/ports.ts";
import { KAFKA_IS_MISSING, startKafka } from "../harness/sinks/kafka_cluster.ts";
import { startKafkaGate } from "../harness/sinks/kafka_gate.ts";
import { KINESIS_REGION, KINESIS_STREAM, startKinesis } from "../harness/sinks/kinesis_server.ts";
import { OpenSearchServer } from "../harness/sinks/opensearch_server.ts";
import { SplunkServer, TOKEN } from "../harness/sinks/splunk_server.ts";
import type { TempFolder } from "../harness/temp_folder.ts";
import { AUTHORITY } from "../harness/tls.ts";
import type { Random } from "./random.ts";

/** One of them. */
export interface FarmSink {
  name: string;
  /** Its entry of agent.yaml. */
  yaml: string;
  /** Something goes wrong, until `heal`; returns what. */
  trouble(random: Random): Promise<string>;
  heal(): Promise<void>;
  contents(): Promise<WindowEvent[]>;
}

const ACCOUNT = { mechanism: "SCRAM-SHA-512", username: "logs", password: "secret" } as const;

/** Starts them all; a broker that is not installed has no sink. */
export async function startFarm(folder: TempFolder, stack: AsyncDisposableStack) {
  const sinks = [
    fileOf(folder),
    searchOf(stack),
    hookOf(stack),
    await splunkOf(folder, stack),
    await kinesisOf(stack),
  ];
  if (!MOSQUITTO_IS_MISSING) sinks.push(await mqttOf(folder, stack));
  if (!KAFKA_IS_MISSING) sinks.push(await kafkaOf(folder, stack));
  return sinks;
}

const parsed = (text: string): WindowEvent => JSON.parse(text);

/** Never in trouble: what the others hold up would be seen in it. */
export function fileOf(folder: TempFolder): FarmSink {
  const path = folder.join("events.jsonl");
  return {
    name: "file",
    yaml: `{ name: file, type: file, path: ${path} }`,
    trouble: () => Promise.resolve("none"),
    heal: () => Promise.resolve(),
    contents: async () => {
      const text = await Deno.readTextFile(path).catch(() => "");
      return text.split("\n").slice(0, -1).map(parsed);
    },
  };
}

/** What goes wrong on the way to servers over HTTP. */
function troubled(proxy: FaultProxy) {
  return {
    trouble: (random: Random) => {
      const fault = random.pick(
        [
          { kind: "busy" },
          { kind: "reset", afterBytes: random.between(0, 5_000) },
          { kind: "lost_reply" },
          { kind: "truncated", afterBytes: random.between(0, 200) },
          { kind: "unknown" },
        ] as const,
      );
      const times = random.chance(0.5) ? { times: random.between(1, 3) } : {}; // down, or half broken
      proxy.rule = { fault, ...times };
      return Promise.resolve(`${fault.kind}${"times" in times ? ` ${times.times} times` : ""}`);
    },
    heal: () => {
      proxy.rule = null;
      return Promise.resolve();
    },
  };
}

function proxyTo(port: number, stack: AsyncDisposableStack): FaultProxy {
  return stack.use(FaultProxy.start({ port }));
}

function searchOf(stack: AsyncDisposableStack): FarmSink {
  const server = stack.use(new OpenSearchServer());
  const proxy = proxyTo(Number(new URL(server.url).port), stack);
  const { trouble, heal } = troubled(proxy);
  return {
    name: "search",
    yaml: `{ name: search, type: opensearch, url: '${proxy.endpoint}' }`,
    trouble: (random) => {
      if (random.chance(0.6)) return trouble(random);
      server.busyItems = random.between(1, 40);
      return Promise.resolve(`429 for ${server.busyItems} items`);
    },
    heal,
    contents: () => {
      if (server.wrong.length > 0) throw new Error(server.wrong.join("; "));
      const documents = server.documents();
      const ids = new Set(documents.map(({ id }) => id));
      if (ids.size < documents.length) throw new Error("several documents of one id");
      return Promise.resolve(
        documents.map(({ document }) => document.source as unknown as WindowEvent // what the agent has sent
        ),
      );
    },
  };
}

function hookOf(stack: AsyncDisposableStack): FarmSink {
  const got: string[] = [];
  const server = stack.use(Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      got.push(...(await request.text()).trimEnd().split("\n"));
      return new Response();
    },
  ));
  const proxy = proxyTo(server.addr.port, stack);
  return {
    name: "hook",
    yaml: `{ name: hook, type: webhook, url: '${proxy.endpoint}/in' }`,
    ...troubled(proxy),
    contents: () => Promise.resolve(got.map(parsed)),
  };
}

async function splunkOf(folder: TempFolder, stack: AsyncDisposableStack): Promise<FarmSink> {
  const server = stack.use(new SplunkServer());
  const proxy = proxyTo(Number(new URL(server.url).port), stack);
  const token = await folder.write("token", TOKEN);
  return {
    name: "splunk",
    yaml: `{ name: splunk, type: splunk, url: '${proxy.endpoint}', token: { file: ${token} } }`,
    ...troubled(proxy),
    contents: () => {
      if (server.wrong.length > 0) throw new Error(server.wrong.join("; "));
      return Promise.resolve(server.indexed.map(({ event }) => event as unknown as WindowEvent));
    },
  };
}

async function kinesisOf(stack: AsyncDisposableStack): Promise<FarmSink> {
  const server = stack.use(await startKinesis());
  const proxy = proxyTo(server.port, stack);
  return {
    name: "kinesis",
    yaml: `{ name: kinesis, type: kinesis, stream: ${KINESIS_STREAM}, region: ${KINESIS_REGION}, ` +
      `url: '${proxy.endpoint}' }`,
    ...troubled(proxy),
    contents: async () => (await server.records()).map(({ data }) => parsed(data)),
  };
}

/** Stopped in order and started again: it keeps what was acknowledged, as brokers should. */
async function mqttOf(folder: TempFolder, stack: AsyncDisposableStack): Promise<FarmSink> {
  const port = freePort();
  const kept = folder.join("broker");
  await Deno.mkdir(kept);
  const start = () => startMosquitto({ port, folder: kept });
  let broker: Mosquitto | null = await start();
  stack.defer(async () => await broker?.[Symbol.asyncDispose]());
  const got: string[] = [];
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: "reader",
    clean: false,
    reconnectPeriod: 100,
  });
  client.on("message", (_, payload) => got.push(payload.toString()));
  client.on("error", () => {}); // it connects again
  await client.subscribeAsync("windows", { qos: 1 });
  stack.defer(() => client.endAsync(true));
  return {
    name: "mqtt",
    yaml: `{ name: mqtt, type: mqtt, url: 'mqtt://127.0.0.1:${port}', topic: windows }`,
    trouble: async () => {
      broker?.program.kill("SIGTERM");
      await broker?.program.ended();
      await broker?.[Symbol.asyncDispose]();
      broker = null;
      return "broker stopped";
    },
    heal: async () => {
      broker ??= await start();
    },
    contents: () => Promise.resolve(got.map(parsed)),
  };
}

async function kafkaOf(folder: TempFolder, stack: AsyncDisposableStack): Promise<FarmSink> {
  const cluster = stack.use(await startKafka("windows"));
  const { brokers } = cluster;
  const gate = stack.use(startKafkaGate({ brokers, tls: true, account: ACCOUNT }));
  const password = await folder.write("kafka_password", ACCOUNT.password);
  const down = new Set<number>();
  return {
    name: "kafka",
    yaml: `{ name: kafka, type: kafka, brokers: [ ${gate.brokers.join(", ")} ], topic: windows, ` +
      `tls: true, ca: ${AUTHORITY}, sasl: ${ACCOUNT.mechanism}, username: ${ACCOUNT.username}, ` +
      `password: { file: ${password} } }`,
    trouble: async (random) => {
      if (random.chance(0.3)) {
        await cluster.tell("fail 3");
        return "3 requests failed";
      }
      const broker = random.between(1, brokers.length);
      down.add(broker);
      await cluster.tell(`down ${broker}`);
      return `broker ${broker} down`;
    },
    heal: async () => {
      for (const broker of down) await cluster.tell(`up ${broker}`);
      down.clear();
    },
    contents: () => Promise.resolve(cluster.messages().map(({ value }) => parsed(value))),
  };
}
