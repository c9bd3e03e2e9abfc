/** The agent's link to the fleet: present while it lives, taking commands, sending answers. */
import { getLogger } from "@logtape/logtape";
import { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import type { Message } from "../../protocol/wire/broker_connection.ts";
import { seal } from "../../protocol/wire/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { HEARTBEAT_MS, LEASE_MS } from "../../protocol/wire/messages.ts";
import { messagesOf } from "../../protocol/wire/archived_hosts.ts";
import type {
  ArchivedHost,
  ArchivedHostsCommand,
  ArchivedHostsMessage,
} from "../../protocol/wire/archived_hosts.ts";
import type { DayHoldings, HostHoldings } from "../../protocol/wire/holdings.ts";
import type { ErasureRecord } from "../../protocol/signing/erasure.ts";
import type { HostErasure, HostTables, Presence, Table } from "../../protocol/wire/messages.ts";
import type { Labels } from "../../protocol/names.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import { PLAN_VERSIONS } from "../../queries/plan/planner.ts";
import type { AskedQuery, QueryOutcome } from "../query_log/query_log.ts";
import type { HostAnswerer } from "../store/answer.ts";
import { ARCHIVE_COMMANDS, Commands, MORE_COMMANDS } from "./commands.ts";
import type { CommandCounts } from "./commands.ts";
import type { LiveOpener } from "./tails.ts";

const log = getLogger(["agent", "link"]);

/** A broker that comes back after hours must not meet its whole fleet in one second. */
const RECONNECT_MAX_MS = 5 * 60_000;

/** What the store says of itself. */
export interface HoldingsSource {
  statement(isRead: boolean): HostHoldings;
  day(day: string): DayHoldings;
  /** Names who is told, at once, when rows come that make the last statement wrong. */
  watch(onLate: () => void): void;
}

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
  /** What the store holds. */
  holdings: HoldingsSource;
  /** Whether the log files have been read to their ends. */
  isRead(): boolean;
  /** Pinned operator keys. */
  trust: readonly string[];
  answer: HostAnswerer;
  /** Finds the hosts that the archive has chunks of; none: it cannot be asked for archived chunks. */
  archivedHosts?: (() => Promise<ArchivedHost[]>) | undefined;
  openLive: LiveOpener;
  /** Takes an erasure, and says how it goes here. Never rejects. */
  erase(told: { id: string; record: ErasureRecord }): Promise<HostErasure>;
  /** Says whether a request was here before. */
  isKnown(id: string): boolean;
  /** Notes a request id durably, and that a query begins. */
  remember(id: string, expiresAtMs: number, query?: AskedQuery): void;
  /** Notes what came of a query. */
  endQuery(id: string, outcome: QueryOutcome): void;
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
  /** Version, since this connection was made. */
  private holdingsSaid = "";
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
      remember: (id, expiresAtMs, query) => options.remember(id, expiresAtMs, query),
      endQuery: (id, outcome) => options.endQuery(id, outcome),
      erase: async ({ id, orchestrator, erasure: record }) => {
        this.send(this.topics.erased(orchestrator), "erased", await options.erase({ id, record }));
      },
      acknowledge: (ack) => this.send(this.topics.ack, "ack", ack),
      sendDay: (orchestrator, day) => {
        this.send(this.topics.day(orchestrator), "day", options.holdings.day(day));
      },
      sendArchivedHosts: (command) => void this.tellArchivedHosts(command),
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
        this.holdingsSaid = "";
        this.announce();
      },
      onMessage: ({ payload }) => this.commands.receive(payload),
    });
    this.heartbeat = setInterval(() => this.announce(), HEARTBEAT_MS);
    options.holdings.watch(() => this.announceAtOnce());
  }

  get connected(): boolean {
    return this.broker.connected;
  }

  get counts(): Readonly<CommandCounts> {
    return this.commands.counts;
  }

  /** Says what has changed, and that it is there. */
  private announce() {
    if (!this.broker.connected) return;
    const holdings = this.sayHoldings();
    this.publish(this.presence("online", holdings));
    const body: HostTables = { tables: this.options.tables() };
    const text = JSON.stringify(body);
    if (text === this.tablesSaid) return;
    this.tablesSaid = text;
    const payload = seal({ type: "tables", body, issuedAtMs: Date.now() });
    this.publish({ topic: this.topics.tables, payload, retain: true });
  }

  /** Whoever has the news must not suffer from what happens to it. */
  private announceAtOnce() {
    try {
      this.announce();
    } catch (error) {
      log.error("Cannot say what is held: {error}", { error: messageOf(error) });
    }
  }

  /** Before the presence that names them. Returns their version. */
  private sayHoldings(): string {
    const body = this.options.holdings.statement(this.options.isRead());
    const { version } = body;
    if (version !== this.holdingsSaid) {
      this.holdingsSaid = version;
      const payload = seal({ type: "holdings", body, issuedAtMs: Date.now() });
      this.publish({ topic: this.topics.holdings, payload, retain: true });
    }
    return version;
  }

  /** @param holdings their version; none when they may change unheard */
  private presence(state: Presence["state"], holdings?: string): Message {
    const { host, region, labels, version, streams } = this.options;
    const stats = state === "online" ? this.options.stats() : undefined;
    const body: Presence = {
      host,
      region,
      labels,
      version,
      plan_versions: [...PLAN_VERSIONS],
      commands: [...MORE_COMMANDS, ...(this.options.archivedHosts ? ARCHIVE_COMMANDS : [])],
      streams: [...streams],
      state,
      boot: this.boot,
      lease_ms: LEASE_MS,
      ...(holdings === undefined ? {} : { holdings }),
      ...(stats === undefined ? {} : { stats }),
    };
    const payload = seal({ type: "presence", body, issuedAtMs: Date.now() });
    return { topic: this.topics.state, payload, retain: true };
  }

  /** Never rejects. */
  private async tellArchivedHosts({ request, orchestrator }: ArchivedHostsCommand) {
    const topic = this.topics.archived(orchestrator);
    const messages = await this.foundHosts(request);
    for (const message of messages) this.send(topic, "archived", message);
  }

  private async foundHosts(request: string): Promise<ArchivedHostsMessage[]> {
    try {
      const { archivedHosts } = this.options;
      if (archivedHosts === undefined) {
        throw new LogvendError("unavailable", "no archive is configured on this host");
      }
      return messagesOf(request, await archivedHosts());
    } catch (error) {
      const problem = messageOf(error).slice(0, 2_000);
      return [{ request, hosts: [], total: 0, problem }];
    }
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
    this.options.holdings.watch(() => {});
    const holdings = this.broker.connected ? this.sayHoldings() : undefined;
    await this.broker.end(this.presence("offline", holdings));
  }
}
