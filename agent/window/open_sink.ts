/** Opens a sink as the configuration has it. What a sink needs is loaded where it is wanted only. */
import { secretText } from "../secret.ts";
import type { Secret } from "../secret.ts";
import type { SinkConfig } from "../window_config.ts";
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
    default:
      return config satisfies never;
  }
}

function textOf(secret: Secret | undefined): string | undefined {
  return secret === undefined ? undefined : secretText(secret);
}
