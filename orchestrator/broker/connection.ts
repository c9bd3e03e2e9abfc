/** The orchestrator's connection to its MQTT broker: kept up for ever, subscribed once. */
import { getLogger } from "@logtape/logtape";
import { connect } from "mqtt";
import type { MqttClient } from "mqtt";
import { LogvendError } from "../../protocol/errors.ts";

/** Reconnecting waits at random up to a bound that doubles from the first to the second. */
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 30_000;

/** A dead broker is noticed within 1.5 of these. */
const KEEPALIVE_S = 10;

const log = getLogger(["orchestrator", "broker"]);

export interface ReceivedMessage {
  topic: string;
  payload: Uint8Array;
  /** Kept by the broker from before the subscription. */
  retained: boolean;
}

export interface ConnectionOptions {
  url: string;
  clientId: string;
  /** Subscribed to at every connect. */
  topics: readonly string[];
  onMessage(message: ReceivedMessage): void;
}

export class BrokerConnection implements AsyncDisposable {
  /** Without user name and password. */
  readonly url: string;
  private readonly client: MqttClient;
  private attempts = 0;
  private subscribed = false;
  private readonly waiting = new Set<() => void>();

  /** Connects in the background, now and after every loss. */
  constructor(private readonly options: ConnectionOptions) {
    this.url = withoutPassword(options.url);
    this.client = connect(options.url, {
      clientId: options.clientId,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: 10_000,
      reconnectPeriod: RECONNECT_FIRST_MS,
      reconnectOnConnackError: true,
      resubscribe: false,
    });
    this.client.on("connect", () => this.subscribe());
    this.client.prependListener("close", () => this.lost());
    this.client.on("error", (error) => this.report(error));
    this.client.on("message", (topic, payload, packet) => {
      options.onMessage({ topic, payload, retained: packet.retain });
    });
  }

  /** True while commands can be sent and answers can arrive. */
  get ready(): boolean {
    return this.subscribed && this.client.connected;
  }

  /** Waits until `ready`. @throws when the signal aborts first */
  async untilReady(signal: AbortSignal): Promise<void> {
    if (this.ready) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    this.waiting.add(resolve);
    signal.addEventListener("abort", onAbort);
    try {
      signal.throwIfAborted();
      await promise;
    } finally {
      this.waiting.delete(resolve);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Sends, at least once while the connection holds. @throws {LogvendError} unavailable */
  publish(topic: string, payload: Uint8Array): void {
    if (!this.ready) {
      throw new LogvendError("unavailable", `The MQTT broker ${this.url} is not reachable`);
    }
    this.client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.length), {
      qos: 1,
    });
  }

  private subscribe() {
    // mqtt.js never sets it, and without it a request and its reply take 44 ms instead of 0.5.
    const { stream } = this.client;
    if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
    this.client.subscribe([...this.options.topics], { qos: 1 }, (error) => {
      if (error) return this.report(error);
      this.subscribed = true;
      this.attempts = 0;
      log.info("Connected to the broker {url}.", { url: this.url });
      for (const resolve of this.waiting) resolve();
    });
  }

  private lost() {
    if (this.subscribed && !this.client.disconnecting) {
      log.warning("Lost the broker {url}; reconnecting.", { url: this.url });
    }
    this.subscribed = false;
    const boundMs = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** this.attempts++);
    this.client.options.reconnectPeriod = Math.max(1, Math.round(Math.random() * boundMs));
  }

  /** Once an outage: an attempt that fails like the one before says nothing new. */
  private report(error: Error) {
    if (this.attempts > 0) return;
    const reason = error.message || ("code" in error ? String(error.code) : error.name);
    log.warning("Cannot reach the broker {url}: {reason}; trying again.", {
      url: this.url,
      reason,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync(true);
  }
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url.href;
}
