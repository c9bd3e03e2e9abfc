/** Listens at the broker: what hosts report of every query, and how many bytes they send. */
import { connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import { queryIdOf } from "../../orchestrator/fanout/query_id.ts";
import { open, parseBody } from "../../protocol/wire/envelope.ts";
import { ResultMessage } from "../../protocol/wire/messages.ts";
import { eventually } from "./eventually.ts";

/** Of one query, over all its hosts. */
export interface Observed {
  /** Hosts that have said their last word. */
  ends: number;
  /** The slowest host's time inside DuckDB. */
  sqlMs: number;
  /** The slowest host's time from the command to its last message. */
  hostMs: number;
  /** Payloads of the results. */
  bytes: number;
  /** Of these the values of all rows, as JSON. */
  valueBytes: number;
}

export class Observer implements AsyncDisposable {
  private readonly byRequest = new Map<string, Observed>();

  private constructor(private readonly client: MqttClient) {}

  static async of(brokerUrl: string): Promise<Observer> {
    const client = await connectAsync(brokerUrl);
    const observer = new Observer(client);
    client.on("message", (_topic, payload) => observer.receive(payload));
    await client.subscribeAsync("logvend/a/+/res/+/+");
    return observer;
  }

  /** @throws when no host answered it */
  of(request: string): Observed {
    const observed = this.byRequest.get(request);
    if (observed === undefined) throw new Error("No host reported its time");
    return observed;
  }

  /** The same by the short name that an answer has, once so many hosts have ended it. */
  async ended(queryId: string, hosts: number): Promise<Observed> {
    return await eventually(() => {
      const request = [...this.byRequest.keys()].find((id) => queryIdOf(id) === queryId);
      const observed = request === undefined ? undefined : this.of(request);
      return observed?.ends === hosts && observed;
    });
  }

  /** What the query that was asked last has cost. */
  get newest(): Observed {
    return this.of([...this.byRequest.keys()].at(-1) ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync();
  }

  private receive(payload: Uint8Array) {
    const { request, parts, end } = parseBody(ResultMessage, open(payload).body, "result");
    const { ends, sqlMs, hostMs, bytes, valueBytes } = this.byRequest.get(request) ??
      { ends: 0, sqlMs: 0, hostMs: 0, bytes: 0, valueBytes: 0 };
    const values = parts.map((part) => part.encoding === "text" ? JSON.stringify(part.values) : "");
    this.byRequest.set(request, {
      ends: end === undefined ? ends : ends + 1,
      sqlMs: Math.max(sqlMs, end?.ok ? end.sql_ms : 0),
      hostMs: Math.max(hostMs, end?.ok ? end.total_ms : 0),
      bytes: bytes + payload.length,
      valueBytes: valueBytes + new TextEncoder().encode(values.join("")).length,
    });
  }
}
