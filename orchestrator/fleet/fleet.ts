/** The hosts of the fleet: who is online by presence and lease, and since when the others are silent. */
import { getLogger } from "@logtape/logtape";
import { open, parseBody } from "../../protocol/wire/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { HostTables, Presence } from "../../protocol/wire/messages.ts";
import type { Table } from "../../protocol/wire/messages.ts";
import type { Selector } from "../../protocol/selector/selector.ts";
import { matches } from "../../protocol/selector/selector.ts";
import { ACCESS_SHAPE, uniteColumns } from "../../protocol/schema/stream_shape.ts";
import { inShownOrder, tablesOf } from "../../protocol/schema/streams.ts";
import type { HostTable } from "../state/hosts.ts";

/** How often leases are checked and last-seen times are written down. */
const TICK_MS = 1_000;
const SAVE_EVERY_MS = 5_000;

/** A host that is silent for so long is retired. */
const RETIRED_AFTER_MS = 7 * 86_400_000;

/** More hosts than this on one broker are refused: each costs some kilobytes here. */
const HOST_COUNT_MAX = 100_000;

const log = getLogger(["orchestrator", "fleet"]);

export interface Host {
  presence: Presence;
  state: "online" | "offline";
  /** When it was last heard, or went away; null when that was before anything we know. */
  seenMs: number | null;
  /** Version of its holdings, if its last word names them; null: they may be others by now. */
  holdings: string | null;
  /** Since when nobody expects it any more; null: it is expected. */
  retiredMs: number | null;
}

export interface FleetOptions {
  table: HostTable;
  /** @default Date.now */
  now?: () => number;
  /** Called when an online host goes offline or turns out to have restarted: its work is lost. */
  onGone?: (host: string) => void;
  /** Called when a host comes online, or is there again as another process. */
  onCome?: (host: string) => void;
}

export class Fleet implements Disposable {
  private readonly hosts = new Map<string, Host>();
  private readonly unsaved = new Set<string>();
  /** By host, as it says itself. */
  private readonly tablesOfHosts = new Map<string, readonly Table[]>();
  private united: Table[] | null = null;
  private readonly now: () => number;
  private readonly timer: ReturnType<typeof setInterval>;
  private savedMs: number;

  /** Starts with the hosts of before, all offline until they are heard. */
  constructor(private readonly options: FleetOptions) {
    this.now = options.now ?? Date.now;
    this.savedMs = this.now();
    for (const known of options.table.load()) {
      this.hosts.set(known.presence.host, { ...known, state: "offline", holdings: null });
    }
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Every known host, by name. */
  list(): Host[] {
    return [...this.hosts.values()].sort((a, b) => a.presence.host < b.presence.host ? -1 : 1);
  }

  /** The same in no order, for who looks often. */
  each(): Iterable<Host> {
    return this.hosts.values();
  }

  /** The hosts whose labels match, by name. */
  select(selector: Selector): Host[] {
    return this.list().filter(({ presence }) => matches(selector, labelsOf(presence)));
  }

  /** What one host says of itself, if it was ever heard. */
  get(host: string): Host | undefined {
    return this.hosts.get(host);
  }

  /**
   * Expects these hosts no more, until they come back.
   * @throws {LogvendError} usage, for one that is there or was never known: then none is retired
   */
  retire(names: readonly string[]): void {
    for (const name of names) {
      const state = this.hosts.get(name)?.state;
      if (state === undefined) throw new LogvendError("usage", `There is no host ${name}`);
      if (state === "online") {
        throw new LogvendError("usage", `${name} is online: stop its agent first`);
      }
    }
    for (const name of names) this.retireNow(name);
    this.save();
  }

  /** The tables that queries may name: every stream of any host, and what all have. */
  tables(): Table[] {
    this.united ??= uniteTables(this.list(), this.tablesOfHosts);
    return this.united;
  }

  /** Takes a message of `a/{host}/tables`; a malformed one is logged and changes nothing. */
  receiveTables(host: string, payload: Uint8Array): void {
    try {
      const { tables } = parseBody(HostTables, open(payload).body, "list of tables");
      this.tablesOfHosts.set(host, tables);
      this.united = null;
    } catch (error) {
      log.warning("Ignored the tables of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** Takes a message of `a/{host}/state`; a malformed one is logged and changes nothing. */
  receive(host: string, payload: Uint8Array, retained: boolean): void {
    if (payload.length === 0) return; // a retained presence that somebody cleared
    try {
      const envelope = open(payload);
      const presence = parseBody(Presence, envelope.body, "presence");
      if (presence.host !== host) {
        throw new LogvendError("usage", `It speaks for ${presence.host}`);
      }
      if (!this.hosts.has(host) && this.hosts.size >= HOST_COUNT_MAX) {
        throw new LogvendError("usage", `${HOST_COUNT_MAX} hosts are known already`);
      }
      this.update(presence, retained ? envelope.issued_at_ms : null);
    } catch (error) {
      log.warning("Ignored a presence of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** @param retainedMs when a retained message was made; null for one that comes just now */
  private update(presence: Presence, retainedMs: number | null) {
    const known = this.hosts.get(presence.host);
    const nowMs = this.now();
    const seenMs = presence.state === "online"
      ? Math.max(known?.seenMs ?? 0, Math.min(nowMs, retainedMs ?? nowMs))
      : lastWordMs(known, retainedMs === null ? nowMs : null);
    const leased = seenMs !== null && nowMs - seenMs < presence.lease_ms;
    const state = presence.state === "online" && leased ? "online" : "offline";
    if (known?.presence.streams.join() !== presence.streams.join()) this.united = null;
    this.hosts.set(presence.host, {
      // A last will is as old as its connection: what the host said later is better.
      presence: state === "offline" && known !== undefined ? known.presence : presence,
      seenMs,
      state,
      // Of one that left without a word nobody knows what it holds by now.
      holdings: presence.state === state ? presence.holdings ?? null : null,
      retiredMs: state === "online" ? null : known?.retiredMs ?? null,
    });
    this.unsaved.add(presence.host);
    const restarted = known?.state === "online" && known.presence.boot !== presence.boot;
    this.announce(presence.host, { before: known?.state ?? "offline", after: state, restarted });
  }

  private announce(host: string, change: StateChange) {
    const { before, after, restarted } = change;
    if (before !== after) log.info("{host} is {state}.", { host, state: after });
    if (before === "online" && (after === "offline" || restarted)) this.options.onGone?.(host);
    if (after === "online" && (before === "offline" || restarted)) this.options.onCome?.(host);
  }

  private tick() {
    const nowMs = this.now();
    for (const [name, host] of this.hosts) {
      if (host.seenMs === null) continue;
      if (host.state === "offline") {
        if (host.retiredMs === null && nowMs - host.seenMs >= RETIRED_AFTER_MS) {
          this.retireNow(name);
        }
        continue;
      }
      if (nowMs - host.seenMs < host.presence.lease_ms) continue;
      this.hosts.set(name, { ...host, state: "offline", holdings: null });
      this.unsaved.add(name);
      this.announce(name, { before: "online", after: "offline", restarted: false });
    }
    if (nowMs - this.savedMs >= SAVE_EVERY_MS) this.save();
  }

  private retireNow(name: string) {
    const host = this.hosts.get(name);
    if (host === undefined) return;
    log.info("{host} is retired.", { host: name });
    this.hosts.set(name, { ...host, retiredMs: this.now() });
    this.unsaved.add(name);
  }

  private save() {
    this.savedMs = this.now();
    const names = [...this.unsaved];
    if (names.length === 0) return;
    try {
      this.options.table.save(names.flatMap((name) => this.hosts.get(name) ?? []));
      this.unsaved.clear();
    } catch (error) {
      log.error("Cannot write down when hosts were last seen, trying again: {reason}.", {
        reason: messageOf(error),
      });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
    this.save();
  }
}

/** By name, each with the columns that any host has. Hosts of older versions do not say theirs. */
function uniteTables(
  hosts: readonly Host[],
  said: ReadonlyMap<string, readonly Table[]>,
): Table[] {
  const tables = new Map(
    tablesOf([], () => ACCESS_SHAPE).map(({ name, columns }) => [
      name,
      [columns],
    ]),
  );
  for (const { presence: { host, streams } } of hosts) {
    const own = said.get(host) ?? tablesOf(streams, () => ACCESS_SHAPE);
    for (const { name, columns } of own) {
      if (streams.includes(name)) tables.set(name, [...tables.get(name) ?? [], columns]);
    }
  }
  return [...tables].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, lists]) => ({ name, columns: inShownOrder(name, uniteColumns(lists)) }));
}

interface StateChange {
  before: Host["state"];
  after: Host["state"];
  restarted: boolean;
}

/** When a host that is offline was last there. @param atMs when its will came, if just now */
function lastWordMs(known: Host | undefined, atMs: number | null): number | null {
  return known?.state === "online" ? atMs ?? known.seenMs : known?.seenMs ?? atMs;
}

/** What selectors see of a host. */
export function labelsOf({ host, region, labels }: Presence): Record<string, string> {
  return { ...labels, host, region };
}
