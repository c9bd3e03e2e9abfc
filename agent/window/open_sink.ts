/** Opens a sink as the configuration has it. What a sink needs is loaded where it is wanted only. */
import { secretText } from "../secret.ts";
import type { Secret } from "../secret.ts";
import type { SinkConfig } from "../window_config.ts";
import type { SignRequest } from "./sinks/aws.ts";
import { authorityOf } from "./sinks/authority.ts";
import { fileSink, streamSink } from "./sinks/file.ts";
import { postClient } from "./sinks/https.ts";
import type { Post } from "./sinks/https.ts";
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
      return overHttp(config, (post) => webhookSink({ url, headers, secret: key, post }));
    }
    case "mqtt": {
      const { url, topic, username } = config;
      const password = textOf(config.password);
      const authority = authorityOf(config.ca);
      const { mqttSink } = await import("./sinks/mqtt.ts");
      return mqttSink({ url, topic, username, password, authority });
    }
    case "opensearch":
      return await openSearch(config);
    case "kafka":
      return await openKafka(config);
    case "splunk": {
      const { url, index = null, sourcetype, ack: acknowledges } = config;
      const token = secretText(config.token);
      const { splunkSink } = await import("./sinks/splunk.ts");
      const options = { url, token, index, sourcetype, acknowledges };
      return overHttp(config, (post) => splunkSink({ ...options, post }));
    }
    case "kinesis": {
      const { stream, region, url = `https://kinesis.${region}.amazonaws.com` } = config;
      const { awsSigner } = await import("./sinks/aws.ts");
      const { kinesisSink } = await import("./sinks/kinesis.ts");
      const sign = awsSigner({ region, service: "kinesis" });
      return overHttp(config, (post) => kinesisSink({ url, stream, sign, post }));
    }
    default:
      return config satisfies never;
  }
}

/** A sink over HTTP, whose connections end with it. */
function overHttp({ ca }: { ca?: string | undefined }, open: (post: Post) => Sink): Sink {
  const client = postClient(authorityOf(ca));
  const sink = open(client.post);
  return {
    send: sink.send,
    [Symbol.asyncDispose]: async () => {
      await sink[Symbol.asyncDispose]();
      client[Symbol.dispose]();
    },
  };
}

async function openSearch(
  config: Extract<SinkConfig, { type: "opensearch" }>,
): Promise<Sink> {
  const { url, index, schema, username, aws } = config;
  const { openSearchSink } = await import("./sinks/opensearch.ts");
  if (aws !== undefined) {
    const { awsSigner } = await import("./sinks/aws.ts");
    const authorize = awsSigner(aws);
    return overHttp(config, (post) => openSearchSink({ url, index, schema, authorize, post }));
  }
  const password = textOf(config.password);
  const account = username === undefined ? {} : {
    authorization: `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`,
  };
  const authorize: SignRequest = ({ headers }) => Promise.resolve({ ...headers, ...account });
  return overHttp(config, (post) => openSearchSink({ url, index, schema, authorize, post }));
}

async function openKafka(config: Extract<SinkConfig, { type: "kafka" }>): Promise<Sink> {
  const { brokers, topic, sasl: mechanism, username = "" } = config;
  const tls = config.tls ? { authority: authorityOf(config.ca) } : null;
  const { kafkaSink } = await import("./sinks/kafka.ts");
  const account = mechanism === undefined
    ? null
    : { mechanism, username, password: textOf(config.password) ?? "" };
  return kafkaSink({ brokers, topic, tls, sasl: account });
}

function textOf(secret: Secret | undefined): string | undefined {
  return secret === undefined ? undefined : secretText(secret);
}
