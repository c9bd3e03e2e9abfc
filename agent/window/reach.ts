/** Whether a sink is where the configuration says: nothing is sent, and nobody is asked who we are. */
import { dirname } from "node:path";
import { reasonOf } from "../../protocol/file_error.ts";
import type { SinkConfig } from "../window_config.ts";
import { authorityOf, inWords } from "./sinks/authority.ts";

/** Longer is as good as never. */
const CONNECT_MS = 3_000;

const PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "ws:": 80,
  "wss:": 443,
  "mqtt:": 1_883,
  "mqtts:": 8_883,
};

interface Address {
  hostname: string;
  port: number;
}

/** Protocols with TLS. */
const ENCRYPTED = new Set(["https:", "wss:", "mqtts:"]);

/** How it is connected to. */
interface Target {
  address: Address;
  /** Certificates, PEM, that are trusted too; null: without TLS. */
  authority: string[] | null;
}

/** What is wrong; null: it is there. */
export async function unreachable(sink: SinkConfig): Promise<string | null> {
  switch (sink.type) {
    case "stdout":
      return null;
    case "file":
      return await noFolder(dirname(sink.path));
    case "kafka":
      return await noneOf(sink.brokers.map((broker) => ({
        address: brokerAddress(broker),
        authority: sink.tls ? authorityOf(sink.ca) : null,
      })));
    case "kinesis":
      return await noneOf([
        urlTarget(sink.url ?? `https://kinesis.${sink.region}.amazonaws.com`, sink.ca),
      ]);
    case "webhook":
    case "mqtt":
    case "opensearch":
    case "splunk":
      return await noneOf([urlTarget(sink.url, sink.ca)]);
    default:
      return sink satisfies never;
  }
}

async function noFolder(path: string): Promise<string | null> {
  try {
    return (await Deno.stat(path)).isDirectory ? null : `${path} is no folder`;
  } catch (error) {
    return `${path}: ${reasonOf(error)}`;
  }
}

/** One is enough: a client learns of the others there. */
async function noneOf(targets: readonly Target[]): Promise<string | null> {
  const reasons: string[] = [];
  for (const target of targets) {
    const reason = await noConnection(target);
    if (reason === null) return null;
    const { address } = target;
    reasons.push(`${address.hostname}:${address.port} ${reason}`);
  }
  return reasons.join("; ");
}

async function connect({ address, authority }: Target): Promise<Deno.Conn> {
  if (authority === null) return await Deno.connect(address);
  const connection = await Deno.connectTls({ ...address, caCerts: authority });
  try {
    await connection.handshake();
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

async function noConnection(target: Target): Promise<string | null> {
  const connecting = connect(target);
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), CONNECT_MS);
  connecting.then((connection) => connection.close(), () => {}); // whenever that is
  try {
    const first = await Promise.race([connecting, late.promise]);
    return first === "late" ? `does not answer within ${CONNECT_MS / 1_000} s` : null;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused
      ? "refuses connections"
      : `cannot be reached: ${inWords(reasonOf(error))}`;
  } finally {
    clearTimeout(timer);
  }
}

function urlTarget(text: string, ca: string | undefined): Target {
  const { hostname, port, protocol } = new URL(text);
  return {
    address: {
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? PORTS[protocol] ?? 0 : Number(port),
    },
    authority: ENCRYPTED.has(protocol) ? authorityOf(ca) : null,
  };
}

function brokerAddress(text: string): Address {
  const colon = text.lastIndexOf(":");
  return { hostname: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
