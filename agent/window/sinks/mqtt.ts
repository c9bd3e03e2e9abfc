/** A message a document, QoS 1: sent when the broker has acknowledged it. */
import mqtt from "mqtt";
import type { MqttClient } from "mqtt";
import { messageOf } from "../../../protocol/errors.ts";
import { inWords, trusting } from "./authority.ts";
import { ALL_TAKEN, SinkError } from "./sink.ts";
import type { Outgoing, Sink } from "./sink.ts";

export interface MqttSinkOptions {
  url: string;
  topic: string;
  username?: string | undefined;
  password?: string | undefined;
  /** Certificates, PEM, that are trusted beside those that are known. */
  authority: readonly string[];
}

/** Brokers refuse longer ones, some by hanging up on whoever sends them. */
const MESSAGE_BYTES_MAX = 128 * 1_024;

const CONNECT_TIMEOUT_MS = 10_000;

/** Connects when there is something to send; the delivery's own pauses are those of reconnects. */
export function mqttSink(options: MqttSinkOptions): Sink {
  let client: MqttClient | null = null;
  const close = async () => {
    const open = client;
    client = null;
    await open?.endAsync(true);
  };
  return {
    send: async (events, signal) => {
      const long = events.filter(({ body }) => !fits(body));
      try {
        client ??= await connect(options);
        await publish(
          client,
          { topic: options.topic, signal },
          events.filter(({ body }) => fits(body)),
        );
      } catch (error) {
        await close();
        throw new SinkError(`${new URL(options.url).host}: ${inWords(messageOf(error))}`);
      }
      if (long.length === 0) return ALL_TAKEN;
      const reason = `longer than ${MESSAGE_BYTES_MAX} bytes`;
      return { rejected: long.map((event) => ({ event, reason })), again: [] };
    },
    [Symbol.asyncDispose]: close,
  };
}

async function publish(
  client: MqttClient,
  { topic, signal }: { topic: string; signal: AbortSignal },
  events: readonly Outgoing[],
) {
  const ended = Promise.withResolvers<never>();
  const lost = () => ended.reject(new Error("the connection was lost"));
  const aborted = () => ended.reject(signal.reason);
  client.once("close", lost);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    if (!client.connected) lost();
    if (signal.aborted) aborted();
    const sends = events.map(({ body }) => client.publishAsync(topic, body, { qos: 1 }));
    await Promise.race([Promise.all(sends), ended.promise]);
  } finally {
    client.off("close", lost);
    signal.removeEventListener("abort", aborted);
  }
}

async function connect(
  { url, username, password, authority }: MqttSinkOptions,
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, {
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...trusting(authority),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }, false);
  client.on("error", () => {}); // what is sent then fails
  const { stream } = client;
  if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
  return client;
}

function fits(body: string): boolean {
  return new TextEncoder().encode(body).length <= MESSAGE_BYTES_MAX;
}
