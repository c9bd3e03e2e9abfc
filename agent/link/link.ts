/** The agent's link to the fleet: present while it lives, taking commands, sending answers. */
import { getLogger } from "@logtape/logtape";
import { BrokerConnection } from "../../protocol/broker_connection.ts";
import type { Message } from "../../protocol/broker_connection.ts";
import { seal } from "../../protocol/envelope.ts";
import { messageOf } from "../../protocol/errors.ts";
import { HEARTBEAT_MS, LEASE_MS } from "../../protocol/messages.ts";
import type { HostTables, Presence, Table } from "../../protocol/messages.ts";
import type { Labels } from "../../protocol/names.ts";
import { agentTopics } from "../../protocol/topics.ts";
import { PLAN_VERSIONS } from "../../queries/plan/planner.ts";
import type { HostAnswerer } from "../store/answer.ts";
import { Commands, MORE_COMMANDS } from "./commands.ts";
import type { CommandCounts } from "./commands.ts";
import type { LiveOpener } from "./tails.ts";

const log = getLogger(["agent", "link"]);

/** A broker that comes back after hours must not meet its whole fleet in one second. */
const RECONNECT_MAX_MS = 5 * 60_000;

export interface LinkOptions {
  /** Of the broker. */
  url: string;
  topicPrefix: string;
  host: string;
  region: string;
  labels: Labels;
  /** Of this program. */
  version: string;
  streams: readonly string[];
  /** What SQL may name here. */
  tables(): Table[];
  /** Pinned operator keys. */
  trust: readonly string[];
  answer: HostAnswerer;
  openLive: LiveOpener;
  /** Says whether a request was here before. */
  isKnown(id: string): boolean;
  /** Notes a request id durably. */
  remember(id: string, expiresAtMs: number): void;
  /** For every heartbeat. */
  stats(): Presence["stats"];
}

export class Link implements AsyncDisposable {
  private readonly topics: ReturnType<typeof agentTopics>;
  private readonly boot = crypto.randomUUID();
  private readonly broker: BrokerConnection;
  private readonly commands: Commands;
  /** As JSON, since this connection was made. */
  private tablesSaid = "";
  private readonly heartbeat: ReturnType<typeof setInterval>;

  /** Connects in the background; a broker that is down is tried for ever. */
  constructor(private readonly options: LinkOptions) {
    const { url, topicPrefix, host, region, labels, trust, answer, openLive } = options;
    this.topics = agentTopics(topicPrefix, host);
    this.commands = new Commands({
      labels: { ...labels, host, region },
      trust,
      answer,
      openLive,
      isKnown: (id) => options.isKnown(id),
      remember: (id, expiresAtMs) => options.remember(id, expiresAtMs),
      acknowledge: (ack) => this.send(this.topics.ack, "ack", ack),
      sendResult: (orchestrator, message) => {
        this.send(this.topics.result(orchestrator, message.request), "result", message);
      },
      sendLines: (orchestrator, message) => {
        if (!this.broker.connected) return false;
        this.send(this.topics.tail(orchestrator, message.request), "tail", message);
        return true;
      },
    });
    this.broker = new BrokerConnection({
      url,
      // The same after a restart: the broker then drops the dead connection of before.
      clientId: `${topicPrefix}-${host}`,
      topics: [this.topics.command],
      reconnectMaxMs: RECONNECT_MAX_MS,
      logCategory: ["agent", "link"],
      lastWill: this.presence("offline"),
      onConnect: () => {
        this.tablesSaid = "";
        this.announce();
      },
      onMessage: ({ payload }) => this.commands.receive(payload),
    });
    this.heartbeat = setInterval(() => this.announce(), HEARTBEAT_MS);
  }

  get connected(): boolean {
    return this.broker.connected;
  }

  get counts(): Readonly<CommandCounts> {
    return this.commands.counts;
  }

  private announce() {
    if (!this.broker.connected) return;
    this.publish(this.presence("online"));
    const body: HostTables = { tables: this.options.tables() };
    const text = JSON.stringify(body);
    if (text === this.tablesSaid) return;
    this.tablesSaid = text;
    const payload = seal({ type: "tables", body, issuedAtMs: Date.now() });
    this.publish({ topic: this.topics.tables, payload, retain: true });
  }

  private presence(state: Presence["state"]): Message {
    const { host, region, labels, version, streams } = this.options;
    const stats = state === "online" ? this.options.stats() : undefined;
    const body: Presence = {
      host,
      region,
      labels,
      version,
      plan_versions: [...PLAN_VERSIONS],
      commands: MORE_COMMANDS,
      streams: [...streams],
      state,
      boot: this.boot,
      lease_ms: LEASE_MS,
      ...(stats === undefined ? {} : { stats }),
    };
    const payload = seal({ type: "presence", body, issuedAtMs: Date.now() });
    return { topic: this.topics.state, payload, retain: true };
  }

  private send(topic: string, type: string, body: unknown) {
    this.publish({ topic, payload: seal({ type, body, issuedAtMs: Date.now() }) });
  }

  private publish(message: Message) {
    this.broker.publish(message).catch((error) => {
      log.debug("Could not send to {topic}: {error}", {
        topic: message.topic,
        error: messageOf(error),
      });
    });
  }

  /** Stops running queries, says goodbye and disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.heartbeat);
    await this.commands.stop();
    await this.broker.end(this.presence("offline"));
  }
}
