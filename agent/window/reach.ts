/** Whether a sink is where the configuration says: nothing is sent, and nobody is asked who we are. */
import { dirname } from "node:path";
import { reasonOf } from "../../protocol/file_error.ts";
import type { SinkConfig } from "../window_config.ts";

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

/** What is wrong; null: it is there. */
export async function unreachable(sink: SinkConfig): Promise<string | null> {
  switch (sink.type) {
    case "stdout":
      return null;
    case "file":
      return await noFolder(dirname(sink.path));
    case "kafka":
      return await noneOf(sink.brokers.map(brokerAddress));
    case "kinesis":
      return await noneOf([
        urlAddress(sink.url ?? `https://kinesis.${sink.region}.amazonaws.com`),
      ]);
    case "webhook":
    case "mqtt":
    case "opensearch":
    case "splunk":
      return await noneOf([urlAddress(sink.url)]);
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
async function noneOf(addresses: readonly Address[]): Promise<string | null> {
  const reasons: string[] = [];
  for (const address of addresses) {
    const reason = await noConnection(address);
    if (reason === null) return null;
    reasons.push(`${address.hostname}:${address.port} ${reason}`);
  }
  return reasons.join("; ");
}

async function noConnection(address: Address): Promise<string | null> {
  const connecting = Deno.connect(address);
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), CONNECT_MS);
  connecting.then((connection) => connection.close(), () => {}); // whenever that is
  try {
    const first = await Promise.race([connecting, late.promise]);
    return first === "late" ? `does not answer within ${CONNECT_MS / 1_000} s` : null;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused
      ? "refuses connections"
      : `cannot be reached: ${reasonOf(error)}`;
  } finally {
    clearTimeout(timer);
  }
}

function urlAddress(text: string): Address {
  const { hostname, port, protocol } = new URL(text);
  return {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? PORTS[protocol] ?? 0 : Number(port),
  };
}

function brokerAddress(text: string): Address {
  const colon = text.lastIndexOf(":");
  return { hostname: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
