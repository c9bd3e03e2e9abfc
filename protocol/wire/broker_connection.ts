/** A connection to the MQTT broker: kept up for ever, with jitter, a last will and a goodbye. */
import { getLogger } from "@logtape/logtape";
import { connect } from "mqtt";
import type { MqttClient } from "mqtt";
import { LogvendError } from "../errors.ts";

/** Full jitter: a wait at random below a bound that doubles, so that a fleet does not come at once. */
const RECONNECT_FIRST_MS = 1_000;

/** A half-open connection is noticed within 1.5 of these. */
const KEEPALIVE_S = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/** A broker that does not take the goodbye within this gets the last will instead. */
const GOODBYE_MS = 2_000;

/** A message to be sent. */
export interface Message {
  topic: string;
  payload: Uint8Array;
  /** Kept by the broker for later subscribers. @default false */
  retain?: boolean;
}

/** A message as the broker delivers it. */
export interface ReceivedMessage {
  topic: string;
  payload: Uint8Array;
  /** Kept by the broker from before the subscription. */
  retained: boolean;
}

/** Who connects where, and what is to happen with what comes. */
export interface BrokerOptions {
  /** mqtt, mqtts, ws or wss; may hold a user name and a password. */
  url: string;
  clientId: string;
  /** Subscribed to at every connect. */
  topics: readonly string[];
  /** The longest wait between two attempts. */
  reconnectMaxMs: number;
  /** Of the program's own log: `["agent", "link"]`. */
  logCategory: readonly string[];
  /** Published by the broker when this connection dies. */
  lastWill?: Message;
  /** After every connect, once subscribed. */
  onConnect?(): void;
  /** When a connection is lost; the error says so. */
  onLost?(error: LogvendError): void;
  onMessage(message: ReceivedMessage): void;
}

/** Ends with a goodbye when it is disposed of. */
export class BrokerConnection implements AsyncDisposable {
  /** Without user name and password. */
  readonly url: string;
  private readonly client: MqttClient;
  private readonly log;
  /** Attempts since the broker was last there. */
  private attempts = 0;
  private subscribed = false;

  /** Connects in the background, now and after every loss. */
  constructor(private readonly options: BrokerOptions) {
    const { url, clientId, lastWill, logCategory } = options;
    this.url = withoutPassword(url);
    this.log = getLogger(logCategory);
    this.client = connect(url, {
      clientId,
      clean: true, // what is sent to somebody who is away is not kept: it expires
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: RECONNECT_FIRST_MS,
      reconnectOnConnackError: true,
      resubscribe: false,
      ...(lastWill === undefined ? {} : {
        will: {
          topic: lastWill.topic,
          payload: bufferOf(lastWill.payload),
          qos: 1,
          retain: lastWill.retain ?? false,
        },
      }),
    });
    this.client.on("connect", () => this.subscribe());
    // Before mqtt.js's own listener, which starts a timer of the period that is set by then.
    this.client.prependListener("close", () => this.lost());
    this.client.on("error", (error) => this.report(error));
    this.client.on("message", (topic, payload, packet) => {
      options.onMessage({ topic, payload, retained: packet.retain });
    });
  }

  /** True while messages can be sent and arrive. */
  get connected(): boolean {
    return this.subscribed && this.client.connected;
  }

  /** @throws {LogvendError} unavailable, while there is no broker */
  requireConnected(): void {
    if (!this.connected) throw this.unreachable();
  }

  /** Sends now or not at all. @throws {LogvendError} unavailable, while there is no broker */
  publishNow(message: Message): void {
    this.requireConnected();
    this.publish(message).catch((error) => {
      const { topic } = message;
      this.log.debug("Could not send to {topic}: {error}", { topic, error: String(error) });
    });
  }

  /** Sends at least once; resolves when the broker has it. Waits for a broker that is away. */
  async publish({ topic, payload, retain = false }: Message): Promise<void> {
    await this.client.publishAsync(topic, bufferOf(payload), { qos: 1, retain });
  }

  private subscribe() {
    // mqtt.js never sets it, and without it a request and its reply take 44 ms instead of 0.5.
    const { stream } = this.client;
    if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
    this.client.subscribe([...this.options.topics], { qos: 1 }, (error) => {
      if (error) return this.report(error);
      this.subscribed = true;
      this.attempts = 0;
      this.log.info("Connected to the broker {url}", { url: this.url });
      this.options.onConnect?.();
    });
  }

  private lost() {
    const isNews = this.subscribed && !this.client.disconnecting;
    this.subscribed = false;
    if (isNews) {
      this.log.warning("Lost the broker {url}; trying again for ever", { url: this.url });
      this.options.onLost?.(this.unreachable());
    }
    const { reconnectMaxMs } = this.options;
    const boundMs = Math.min(reconnectMaxMs, RECONNECT_FIRST_MS * 2 ** this.attempts++);
    this.client.options.reconnectPeriod = Math.max(1, Math.round(Math.random() * boundMs));
  }

  private unreachable(): LogvendError {
    return new LogvendError("unavailable", `The MQTT broker ${this.url} is not reachable`);
  }

  /** Once an outage: an attempt that fails like the one before says nothing new. */
  private report(error: Error) {
    if (this.attempts > 0) return;
    const reason = error.message || ("code" in error ? String(error.code) : error.name);
    this.log.warning("Cannot reach the broker {url}: {reason}; trying again for ever", {
      url: this.url,
      reason,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  /** Ends, with a last message if there is one and the broker takes it. */
  async end(goodbye?: Message): Promise<void> {
    if (this.connected && goodbye !== undefined) {
      await within(GOODBYE_MS, this.publish(goodbye)).catch((error) => {
        this.log.debug("The broker did not take the goodbye: {error}", { error: String(error) });
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
