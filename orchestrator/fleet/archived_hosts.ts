/**
 * Which hosts the archives of regions have chunks of, as agents there say: those as well that this
 * orchestrator has never heard. Asked in the background, so that no question waits for a catalog.
 */
import { getLogger } from "@logtape/logtape";
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import { ARCHIVED_HOSTS, ArchivedHostsMessage } from "../../protocol/wire/archived_hosts.ts";
import type { ArchivedHost, ArchivedHostsCommand } from "../../protocol/wire/archived_hosts.ts";
import { open, parseBody, seal } from "../../protocol/wire/envelope.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { Presence } from "../../protocol/wire/messages.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import type { Fleet } from "./fleet.ts";

/** What an agent can that reads the archive. */
export const ARCHIVE_COMMAND = "archive";

/** Hosts that speak to no broker are known so late; a region is some 20 lists, more where it is large. */
const AGAIN_MS = 3_600_000;
/** After all agents of a region could not say. */
const RETRY_MS = 15_000;
/** An agent that looks at the archive for longer gives up by itself. */
const ANSWER_MS = 60_000;
const TICK_MS = 1_000;

const log = getLogger(["orchestrator", "fleet"]);

/** Asks an agent. @throws while there is no broker */
export type HostsAsker = (agent: string, request: string) => void;

export interface ArchivedHostsOptions {
  fleet: Pick<Fleet, "each" | "get">;
  ask: HostsAsker;
  isConnected(): boolean;
  /** @default Date.now */
  now?: () => number;
}

/** A region of which it is not known. */
export interface UntoldRegion {
  region: string;
  reason: string;
}

interface Asking {
  agent: string;
  request: string;
  endsMs: number;
  /** What has come so far, by host and stream. */
  hosts: Map<string, ArchivedHost>;
}

interface Region {
  /** By the last answer that was whole. */
  hosts: ArchivedHost[];
  /** Whether that is of this connection to the broker. */
  isTold: boolean;
  /** Whether every agent that was there was asked, since then. */
  wasTried: boolean;
  /** Why it is not told. */
  reason: string | null;
  asking: Asking | null;
  /** Agents that could not say. */
  tried: Set<string>;
  dueMs: number;
}

export class ArchivedHosts implements Disposable {
  private readonly regions = new Map<string, Region>();
  private readonly now: () => number;
  private readonly timer: ReturnType<typeof setInterval>;
  /** Since when every host is heard that speaks; null: there is no broker. */
  private connectedMs: number | null = null;
  private changed = Promise.withResolvers<void>();

  constructor(private readonly options: ArchivedHostsOptions) {
    this.now = options.now ?? Date.now;
    this.timer = setInterval(() => this.look(), TICK_MS);
  }

  /** Every host and stream that an archive has, as far as is known. */
  *all(): Generator<{ region: string; host: ArchivedHost }> {
    for (const [region, { hosts }] of this.regions) {
      for (const host of hosts) yield { region, host };
    }
  }

  /**
   * Regions of which it is not known who has archived rows since then: ISO 8601, null for unbounded.
   * Rows that are made while this orchestrator is connected are of hosts that it hears.
   */
  untold(since: string | null): UntoldRegion[] {
    if (since !== null && Date.parse(since) >= (this.connectedMs ?? Infinity)) return [];
    return expectedRegions(this.options.fleet).flatMap((region) => {
      const known = this.regions.get(region);
      return known?.isTold ? [] : [{ region, reason: this.reasonOf(region, known) }];
    });
  }

  /** Resolves when each of these regions was told, or nobody there can tell. @throws the signal's reason */
  async tried(regions: readonly string[], signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      while (regions.some((region) => this.isFirst(region))) {
        await Promise.race([this.changed.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Asks it, if it may be the first to say. */
  hostCame(host: string): void {
    const presence = this.options.fleet.get(host)?.presence;
    if (!presence?.commands.includes(ARCHIVED_HOSTS)) return;
    const known = this.regions.get(presence.region);
    if (!known?.isTold && !known?.asking) this.look();
  }

  /** Looks whom to ask: every second. */
  look(): void {
    this.connectedMs = this.options.isConnected() ? this.connectedMs ?? this.now() : null;
    if (this.connectedMs === null) return;
    for (const name of expectedRegions(this.options.fleet)) {
      const region = this.regions.get(name) ?? newRegion();
      this.regions.set(name, region);
      const { asking } = region;
      if (asking !== null && this.now() >= asking.endsMs) this.fail(name, "has not answered");
      else if (asking !== null && this.options.fleet.get(asking.agent)?.state !== "online") {
        this.fail(name, "went away");
      } else if (asking === null && this.now() >= region.dueMs) this.ask(name, region);
    }
  }

  /** Hosts may come and go unheard: all is asked anew. */
  brokerLost(): void {
    this.connectedMs = null;
    for (const region of this.regions.values()) {
      const { hosts, isTold, wasTried } = region;
      // For what could not be said before nobody waits again.
      Object.assign(region, newRegion(), { hosts, wasTried: wasTried && !isTold });
    }
    this.tell();
  }

  /** Takes a message of `a/{host}/archived/…`; what nobody waits for is dropped. */
  receive(agent: string, payload: Uint8Array): void {
    const [name, region] = [...this.regions].find(([, { asking }]) => asking?.agent === agent) ??
      [];
    const asking = region?.asking;
    if (name === undefined || !region || !asking) return;
    try {
      const message = parseBody(ArchivedHostsMessage, open(payload).body, "list of archived hosts");
      if (message.request !== asking.request) return;
      if (message.problem !== null) return this.fail(name, message.problem);
      for (const one of message.hosts) asking.hosts.set(`${one[0]}\n${one[1]}`, one);
      if (asking.hosts.size < message.total) return;
      const hosts = [...asking.hosts.values()];
      const dueMs = this.now() + AGAIN_MS;
      Object.assign(region, newRegion(), { hosts, isTold: true, wasTried: true, dueMs });
      this.tell();
    } catch (error) {
      this.fail(name, messageOf(error));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  /** Asks one that was not asked yet; there is none: later. */
  private ask(name: string, region: Region) {
    const agent = this.agentOf(name, region.tried);
    if (agent === undefined) {
      if (region.tried.size > 0) {
        region.wasTried = true;
        region.tried.clear();
        region.dueMs = this.now() + RETRY_MS;
      }
      this.tell();
      return;
    }
    const request = crypto.randomUUID();
    try {
      this.options.ask(agent, request);
      region.asking = { agent, request, endsMs: this.now() + ANSWER_MS, hosts: new Map() };
    } catch (error) {
      log.debug("Cannot ask {agent} whom its archive has: {reason}.", {
        ...{ agent, reason: messageOf(error) },
      });
    }
  }

  private fail(name: string, problem: string) {
    const region = this.regions.get(name);
    if (!region?.asking) return;
    const { agent } = region.asking;
    region.reason = `${agent}: ${problem}`;
    region.asking = null;
    region.tried.add(agent);
    log.warning("It is not known whom the archive of {region} has: {reason}.", {
      ...{ region: name, reason: region.reason },
    });
    this.ask(name, region);
  }

  /** Whether somebody is asked who may say it for the first time. */
  private isFirst(name: string): boolean {
    const region = this.regions.get(name);
    return region !== undefined && region.asking !== null && !region.isTold && !region.wasTried;
  }

  private reasonOf(name: string, region: Region | undefined): string {
    if (region?.reason) return region.reason;
    if (region?.asking) return `${region.asking.agent} is still looking`;
    const isThere = Iterator.from(this.options.fleet.each())
      .some(({ state, presence }) => state === "online" && readsArchive(presence, name));
    return isThere
      ? `agents of ${name} are of a version that cannot say it: upgrade one`
      : `no agent of ${name} that reads its archive is online`;
  }

  /** One that is there and can tell; but for some. */
  private agentOf(region: string, tried: ReadonlySet<string>): string | undefined {
    for (const { state, presence } of this.options.fleet.each()) {
      const { host, commands } = presence;
      const isAble = state === "online" && readsArchive(presence, region) &&
        commands.includes(ARCHIVED_HOSTS);
      if (isAble && !tried.has(host)) return host;
    }
    return undefined;
  }

  /** Wakes who waits. */
  private tell() {
    this.changed.resolve();
    this.changed = Promise.withResolvers<void>();
  }
}

/** Asks over the broker, for answers to the orchestrator of this name. */
export function askForArchivedHosts({ fleet, broker, name: orchestrator, topicPrefix }: {
  fleet: ArchivedHostsOptions["fleet"];
  broker: Pick<BrokerConnection, "connected" | "publishNow">;
  name: string;
  topicPrefix: string;
}): ArchivedHosts {
  return new ArchivedHosts({
    fleet,
    isConnected: () => broker.connected,
    ask: (agent, request) => {
      const body: ArchivedHostsCommand = { request, orchestrator };
      const payload = seal({ type: ARCHIVED_HOSTS, body, issuedAtMs: Date.now() });
      broker.publishNow({ topic: agentTopics(topicPrefix, agent).command, payload });
    },
  });
}

function newRegion(): Region {
  return {
    ...{ hosts: [], isTold: false, wasTried: false, reason: null, asking: null, dueMs: 0 },
    tried: new Set(),
  };
}

/** Where agents are expected that read an archive. */
function expectedRegions(fleet: Pick<Fleet, "each">): string[] {
  const regions = new Set<string>();
  for (const { presence, retiredMs } of fleet.each()) {
    if (retiredMs === null && readsArchive(presence)) regions.add(presence.region);
  }
  return [...regions];
}

function readsArchive({ commands, region }: Presence, of = region): boolean {
  return region === of && commands.includes(ARCHIVE_COMMAND);
}
