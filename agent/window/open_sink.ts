/** Opens a sink as the configuration has it. What a sink needs is loaded where it is wanted only. */
import { secretText } from "../secret.ts";
import type { Secret } from "../secret.ts";
import type { SinkConfig } from "../window_config.ts";
import type { SignRequest } from "./sinks/aws.ts";
import { fileSink, streamSink } from "./sinks/file.ts";
import type { Sink } from "./sinks/sink.ts";
import { webhookSink } from "./sinks/webhook.ts";

/** @throws {LogvendError} bad_config, when a secret cannot be had */
export async function openSink(config: SinkConfig): Promise<Sink> {
  switch (config.type) {
    case "file":
      return fileSink({ path: config.path, bytesMax: config.max_bytes });
    case "stdout":
      return streamSink(Deno.stdout.writable);
    case "webhook": {
      const { url, headers, secret } = config;
      const key = secret === undefined ? null : new TextEncoder().encode(secretText(secret));
      return webhookSink({ url, headers, secret: key });
    }
    case "mqtt": {
      const { url, topic, username } = config;
      const { mqttSink } = await import("./sinks/mqtt.ts");
      return mqttSink({ url, topic, username, password: textOf(config.password) });
    }
    case "opensearch":
      return await openSearch(config);
    case "kafka":
      return await openKafka(config);
    case "splunk": {
      const { url, token, index = null, sourcetype, ack } = config;
      const { splunkSink } = await import("./sinks/splunk.ts");
      return splunkSink({ url, token: secretText(token), index, sourcetype, acknowledges: ack });
    }
    case "kinesis": {
      const { stream, region, url = `https://kinesis.${region}.amazonaws.com` } = config;
      const { awsSigner } = await import("./sinks/aws.ts");
      const { kinesisSink } = await import("./sinks/kinesis.ts");
      return kinesisSink({ url, stream, sign: awsSigner({ region, service: "kinesis" }) });
    }
    default:
      return config satisfies never;
  }
}

async function openSearch(
  config: Extract<SinkConfig, { type: "opensearch" }>,
): Promise<Sink> {
  const { url, index, schema, username, aws } = config;
  const { openSearchSink } = await import("./sinks/opensearch.ts");
  if (aws !== undefined) {
    const { awsSigner } = await import("./sinks/aws.ts");
    return openSearchSink({ url, index, schema, authorize: awsSigner(aws) });
  }
  const password = textOf(config.password);
  const account = username === undefined ? {} : {
    authorization: `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`,
  };
  const authorize: SignRequest = ({ headers }) => Promise.resolve({ ...headers, ...account });
  return openSearchSink({ url, index, schema, authorize });
}

async function openKafka(config: Extract<SinkConfig, { type: "kafka" }>): Promise<Sink> {
  const { brokers, topic, tls, sasl: mechanism, username = "" } = config;
  const { kafkaSink } = await import("./sinks/kafka.ts");
  const account = mechanism === undefined
    ? null
    : { mechanism, username, password: textOf(config.password) ?? "" };
  return kafkaSink({ brokers, topic, tls, sasl: account });
}

function textOf(secret: Secret | undefined): string | undefined {
  return secret === undefined ? undefined : secretText(secret);
}
