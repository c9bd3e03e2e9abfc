/** Hosts of a question that an archive has chunks of, and that the fleet does not know. */
import {
  CHUNK_LABELS,
  labelsBeside,
  matchesKnown,
  parseSelector,
} from "../../../protocol/selector/selector.ts";
import type { Selector } from "../../../protocol/selector/selector.ts";
import type { Reach } from "../../../queries/plan/reach.ts";
import type { ArchivedHosts, UntoldRegion } from "../../fleet/archived_hosts.ts";
import type { Read } from "../../fleet/chunk_catalog.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Missing } from "../coverage.ts";

const HOUR_MS = 3_600_000;

export interface StrangersParts {
  fleet: Pick<Fleet, "each" | "get">;
  archivedHosts: ArchivedHosts;
}

export interface StrangersQuestion {
  /** Selector text of the claims. */
  selector: string;
  read: Read;
  /** Values of `host` and `region` that matter. */
  reach: Pick<Reach, "hosts" | "regions">;
}

/** To be made at the moment in which the other hosts of the question are chosen. */
export class Strangers {
  /** The regions of each, which may be none: its chunks may lie between the hours that are asked for. */
  hosts: ReadonlyMap<string, ReadonlySet<string>>;
  /** Regions of which it is not known who they are. */
  untold: readonly UntoldRegion[];
  private readonly selector: Selector;
  /** Hosts that were known when others were chosen; null: that does not matter. */
  private readonly before: ReadonlySet<string> | null;

  constructor(
    private readonly parts: StrangersParts,
    private readonly question: StrangersQuestion,
  ) {
    this.selector = parseSelector(question.selector);
    this.untold = this.untoldNow();
    this.before = this.untold.length === 0
      ? null
      : new Set([...parts.fleet.each()].map(({ presence }) => presence.host));
    this.hosts = this.hostsNow();
  }

  /** Whether there are any, or may be. */
  get areThere(): boolean {
    return this.hosts.size > 0 || this.untold.length > 0;
  }

  /** Waits for who is just being asked for the first time, for so long at most. @throws the signal's reason */
  async settle(signal: AbortSignal, waitMs: number): Promise<void> {
    if (this.untold.length === 0) return;
    const soon = AbortSignal.timeout(waitMs);
    const regions = this.untold.map(({ region }) => region);
    try {
      await this.parts.archivedHosts.tried(regions, AbortSignal.any([signal, soon]));
    } catch (error) {
      signal.throwIfAborted();
      if (!soon.aborted) throw error;
    }
    this.untold = this.untoldNow();
    this.hosts = this.hostsNow();
  }

  /** Whether a host is one, by the list of a region too. */
  isOne(host: string): boolean {
    return this.hosts.has(host) || !this.wasKnown(host);
  }

  /** What is missing of regions of which it is not known. */
  missing(): Missing[] {
    return this.untold.map(({ region, reason }): Missing => ({
      host: `others of ${region}`,
      kind: "unknown",
      reason: `who else has archived chunks there is not known: ${reason}`,
    }));
  }

  private wasKnown(host: string): boolean {
    return this.before?.has(host) ?? this.parts.fleet.get(host) !== undefined;
  }

  private untoldNow(): UntoldRegion[] {
    const { question: { read, reach: { regions } } } = this;
    // No host is chosen by labels that nobody knows.
    const others = labelsBeside(this.selector, CHUNK_LABELS);
    if (others.length > 0 && !labelsBeside(this.selector, others).includes("host")) return [];
    return this.parts.archivedHosts.untold(read.since).filter(({ region }) =>
      regions?.includes(region) !== false && matchesKnown(this.selector, { region }) !== false
    );
  }

  private hostsNow(): Map<string, Set<string>> {
    const { read: { tables, since, until }, reach: { hosts, regions } } = this.question;
    const sinceHour = since === null ? -Infinity : Date.parse(since) / HOUR_MS;
    const untilHour = until === null ? Infinity : Date.parse(until) / HOUR_MS;
    const found = new Map<string, Set<string>>();
    for (const { region, host: [host, stream, from, end] } of this.parts.archivedHosts.all()) {
      if (end <= sinceHour || from >= untilHour || !tables.includes(stream)) continue;
      if (hosts?.includes(host) === false || regions?.includes(region) === false) continue;
      if (this.wasKnown(host) || matchesKnown(this.selector, { host, region }) !== true) continue;
      found.set(host, (found.get(host) ?? new Set()).add(region));
    }
    return found;
  }
}
