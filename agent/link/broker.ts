/** The agent's connection to its MQTT broker: kept up for ever, with a last will. */
import { getLogger } from "@logtape/logtape";
import { connect } from "mqtt";
import type { MqttClient } from "mqtt";

/** Full jitter: a wait at random below a bound that doubles, so that a fleet does not come at once. */
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 5 * 60_000;

/** A half-open connection is noticed within 1.5 of these. */
const KEEPALIVE_S = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/** A broker that does not take the goodbye within this gets the last will instead. */
const GOODBYE_MS = 2_000;

const log = getLogger(["agent", "link"]);

export interface Message {
  topic: string;
  payload: Uint8Array;
  /** Kept by the broker for later subscribers. @default false */
  retain?: boolean;
}

export interface BrokerOptions {
  /** mqtt, mqtts, ws or wss; may hold a user name and a password. */
  url: string;
  clientId: string;
  /** Subscribed to at every connect. */
  topic: string;
  /** Published by the broker when this connection dies. */
  lastWill: Message;
  /** After every connect, once subscribed. */
  onConnect(): void;
  onMessage(payload: Uint8Array): void;
}

export class BrokerConnection {
  private readonly client: MqttClient;
  /** Without user name and password. */
  private readonly url: string;
  /** Attempts since the broker was last there. */
  private attempts = 0;
  private subscribed = false;

  /** Connects in the background, now and after every loss. */
  constructor(private readonly options: BrokerOptions) {
    this.url = withoutPassword(options.url);
    const { topic, payload } = options.lastWill;
    this.client = connect(options.url, {
      clientId: options.clientId,
      clean: true, // commands to a host that is away are not kept for it: they expire
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: RECONNECT_FIRST_MS,
      reconnectOnConnackError: true,
      resubscribe: false,
      will: { topic, payload: bufferOf(payload), qos: 1, retain: true },
    });
    this.client.on("connect", () => this.subscribe());
    // Before mqtt.js's own listener, which starts a timer of the period that is set by then.
    this.client.prependListener("close", () => this.lost());
    this.client.on("error", (error) => this.report(error));
    this.client.on("message", (_topic, payload) => options.onMessage(payload));
  }

  get connected(): boolean {
    return this.subscribed && this.client.connected;
  }

  /** Sends at least once; resolves when the broker has it. Waits for a broker that is away. */
  async publish({ topic, payload, retain = false }: Message): Promise<void> {
    await this.client.publishAsync(topic, bufferOf(payload), { qos: 1, retain });
  }

  private subscribe() {
    // mqtt.js never sets it, and without it a request and its reply take 44 ms instead of 0.5.
    const { stream } = this.client;
    if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
    this.client.subscribe(this.options.topic, { qos: 1 }, (error) => {
      if (error) return this.report(error);
      this.subscribed = true;
      this.attempts = 0;
      log.info("Connected to the broker {url}.", { url: this.url });
      this.options.onConnect();
    });
  }

  private lost() {
    if (this.subscribed && !this.client.disconnecting) {
      log.warning("Lost the broker {url}; trying again for ever.", { url: this.url });
    }
    this.subscribed = false;
    const boundMs = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** this.attempts++);
    this.client.options.reconnectPeriod = Math.max(1, Math.round(Math.random() * boundMs));
  }

  /** Once an outage: an attempt that fails like the one before says nothing new. */
  private report(error: Error) {
    if (this.attempts > 0) return;
    const reason = error.message || ("code" in error ? String(error.code) : error.name);
    log.warning(
      "Cannot reach the broker {url}: {reason}; trying again for ever. Logs are read and kept.",
      { url: this.url, reason },
    );
  }

  /** Ends, with a last message if the broker takes it. */
  async end(goodbye: Message): Promise<void> {
    if (this.connected) {
      await within(GOODBYE_MS, this.publish(goodbye)).catch((error) => {
        log.debug("The broker did not take the goodbye: {error}", { error: String(error) });
      });
    }
    // Not by force, or the broker would publish the last will after the goodbye.
    const force = !this.connected;
    await within(GOODBYE_MS, this.client.endAsync(force)).catch(() => {
      this.client.stream.destroy(); // a broker that takes nothing any more must not hold us up
    });
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
  await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

function bufferOf(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url.href;
}
