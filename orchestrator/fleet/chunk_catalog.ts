/** What every host holds, as it says itself: statements as they come, days by asking for them. */
import { getLogger } from "@logtape/logtape";
import type { BrokerConnection } from "../../protocol/broker_connection.ts";
import { open, parseBody, seal } from "../../protocol/envelope.ts";
import { messageOf } from "../../protocol/errors.ts";
import { DayHoldings, DAYS_ASKED_MAX, HostHoldings } from "../../protocol/holdings.ts";
import type { HoldingsCommand } from "../../protocol/holdings.ts";
import { agentTopics } from "../../protocol/topics.ts";
import { ACCOUNTING, REJECTS } from "../../protocol/streams.ts";

/** Hosts asked for days at once: brokers drop what they cannot deliver, answers to queries too. */
const HOSTS_ASKED_MAX = 16;
/** After so long a silence they are asked again. */
const ASK_AGAIN_MS = 5_000;
const TICK_MS = 1_000;

/** Chunks of all hosts, at some 100 bytes each. Beyond it days stay unknown: their hosts are asked. */
const CHUNKS_MAX = 2_000_000;

const DAY_MS = 86_400_000;

const log = getLogger(["orchestrator", "fleet"]);

/** What a query reads: ISO 8601, half-open; null is unbounded. */
export interface Read {
  tables: readonly string[];
  since: string | null;
  until: string | null;
}

/** What a query will find on a host, as far as the catalog knows. */
export interface Estimate {
  chunks: number;
  rows: number;
  bytes: number;
  /** Whether it may hold rows that are in no chunk yet. */
  isOpen: boolean;
  /** Whether the catalog knows all of it. */
  isKnown: boolean;
}

/** Asks a host for days. @throws while there is no broker */
export type DayAsker = (host: string, days: string[]) => void;

/** Asks over the broker, for answers to the orchestrator of this name. */
export function askForDays({ broker, name: orchestrator, topicPrefix }: {
  broker: Pick<BrokerConnection, "publishNow">;
  name: string;
  topicPrefix: string;
}): DayAsker {
  return (host, days) => {
    const body: HoldingsCommand = { orchestrator, days };
    const payload = seal({ type: "holdings", body, issuedAtMs: Date.now() });
    broker.publishNow({ topic: agentTopics(topicPrefix, host).command, payload });
  };
}

export interface ChunkCatalogOptions {
  ask: DayAsker;
  isOnline(host: string): boolean;
  /** @default CHUNKS_MAX */
  chunksMax?: number;
  /** @default Date.now */
  now?: () => number;
}

interface Known {
  said: HostHoldings;
  days: Map<string, DayHoldings>;
}

export class ChunkCatalog implements Disposable {
  private readonly hosts = new Map<string, Known>();
  /** When hosts were asked that have not answered yet, and for which days. */
  private readonly asked = new Map<string, { ms: number; days: Set<string> }>();
  private chunkCount = 0;
  private readonly now: () => number;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly options: ChunkCatalogOptions) {
    this.now = options.now ?? Date.now;
    this.timer = setInterval(() => this.askAll(), TICK_MS);
  }

  /** Takes a message of `a/{host}/holdings`; a malformed one makes the host unknown. */
  receiveHoldings(host: string, payload: Uint8Array): void {
    try {
      const said = parseBody(HostHoldings, open(payload).body, "statement of holdings");
      const days = this.hosts.get(host)?.days ?? new Map();
      this.hosts.set(host, { said, days });
      for (const day of days.keys()) if (said.days[day] === undefined) this.forget(days, day);
      this.ask(host);
    } catch (error) {
      const days = this.hosts.get(host)?.days ?? new Map();
      for (const day of days.keys()) this.forget(days, day);
      this.hosts.delete(host);
      log.warning("Ignored holdings of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** Takes a message of `a/{host}/day/…`; what nobody waits for is dropped. */
  receiveDay(host: string, payload: Uint8Array): void {
    try {
      const day = parseBody(DayHoldings, open(payload).body, "day of holdings");
      const known = this.hosts.get(host);
      const waiting = this.asked.get(host)?.days;
      if (known === undefined || !waiting?.delete(day.day)) return;
      this.forget(known.days, day.day);
      if (known.said.days[day.day] !== undefined) {
        known.days.set(day.day, day);
        this.chunkCount += countOf(day);
      }
      if (waiting.size > 0) return;
      this.asked.delete(host);
      if (day.digest === known.said.days[day.day]) this.ask(host); // else it has news on the way
    } catch (error) {
      log.warning("Ignored a day of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /**
   * False only when a host holds nothing of what is read: no row, no reject, loss or gap.
   * @param version of its holdings, as its last presence has it; null: it may have others by now
   */
  mayHold(host: string, version: string | null, read: Read): boolean {
    const known = this.hosts.get(host);
    if (known === undefined || known.said.version !== version) return true;
    return isOpen(known, read) || this.mayHaveClosed(known, read);
  }

  /** The same of a host that has held nothing new since `endMs`, by the last that it said. */
  mayHaveHeld(host: string, endMs: number, read: Read): boolean {
    const known = this.hosts.get(host);
    const isBefore = read.since === null || Date.parse(read.since) <= endMs;
    if (known === undefined) return isBefore;
    return (isBefore && isOpen(known, read)) || this.mayHaveClosed(known, read);
  }

  /** Whether all rows of a host surely have its name. */
  hasOwnRows(host: string, version: string | null): boolean {
    const said = this.hosts.get(host)?.said;
    return said !== undefined && said.version === version && said.own_rows;
  }

  estimate(host: string, read: Read): Estimate {
    const known = this.hosts.get(host);
    const found: Estimate = { chunks: 0, rows: 0, bytes: 0, isOpen: true, isKnown: false };
    if (known === undefined || !isListed(read)) return found;
    found.isOpen = isOpen(known, read);
    found.isKnown = known.said.open_from !== null;
    const within = boundsUs(read);
    for (const day of touchedDays(known, read)) {
      const listed = known.days.get(day)?.chunks ?? null;
      found.isKnown &&= listed !== null;
      for (const table of read.tables) {
        for (const [, rows, bytes, firstUs, lastUs] of listed?.[table] ?? []) {
          if (lastUs < within.sinceUs || firstUs >= within.untilUs) continue;
          found.chunks++;
          found.rows += rows;
          found.bytes += bytes;
        }
      }
    }
    return found;
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private mayHaveClosed(known: Known, read: Read): boolean {
    return !isListed(read) || touchedDays(known, read).some((day) => {
      const listed = known.days.get(day);
      return listed?.digest !== known.said.days[day] || listed === undefined ||
        touches(listed, read);
    });
  }

  private askAll() {
    const nowMs = this.now();
    for (const [host, { ms }] of this.asked) {
      if (nowMs - ms >= ASK_AGAIN_MS) this.asked.delete(host);
    }
    for (const host of this.hosts.keys()) this.ask(host);
  }

  /** Asks for days that are unknown or have changed, the newest first. */
  private ask(host: string) {
    const { options: { isOnline, ask, chunksMax = CHUNKS_MAX }, hosts, asked } = this;
    const known = hosts.get(host);
    if (known === undefined || asked.has(host) || asked.size >= HOSTS_ASKED_MAX) return;
    if (this.chunkCount >= chunksMax || !isOnline(host)) return;
    const days = Object.keys(known.said.days)
      .filter((day) => known.days.get(day)?.digest !== known.said.days[day])
      .sort().reverse().slice(0, DAYS_ASKED_MAX);
    if (days.length === 0) return;
    asked.set(host, { ms: this.now(), days: new Set(days) });
    try {
      ask(host, days);
    } catch (error) {
      log.debug("Cannot ask {host} for days: {reason}.", { host, reason: messageOf(error) });
    }
  }

  private forget(days: Map<string, DayHoldings>, day: string) {
    const known = days.get(day);
    if (known === undefined) return;
    days.delete(day);
    this.chunkCount -= countOf(known);
  }
}

/** Whether holdings tell anything about these tables. */
function isListed({ tables }: Read): boolean {
  return tables.length > 0 && !tables.includes(ACCOUNTING);
}

/** Whether the range reaches to where the host may hold anything. */
function isOpen({ said }: Known, { until }: Read): boolean {
  return said.open_from === null || until === null ||
    Date.parse(until) > Date.parse(said.open_from);
}

function touchedDays({ said }: Known, { since, until }: Read): string[] {
  return Object.keys(said.days).filter((day) => {
    const startMs = Date.parse(day);
    return (until === null || startMs < Date.parse(until)) &&
      (since === null || startMs + DAY_MS > Date.parse(since));
  });
}

/** Whether any chunk or mark touches what is read; rejects are counted whatever is read. */
function touches({ chunks, marks }: DayHoldings, read: Read): boolean {
  const { sinceUs, untilUs } = boundsUs(read);
  const isWithin = (firstUs: number, lastUs: number) => lastUs >= sinceUs && firstUs < untilUs;
  return chunks === null ||
    [...read.tables, REJECTS].some((table) =>
      chunks[table]?.some(([, , , firstUs, lastUs]) => isWithin(firstUs, lastUs))
    ) ||
    marks.some(([stream, firstUs, lastUs]) =>
      (stream === null || read.tables.includes(stream)) && isWithin(firstUs, lastUs)
    );
}

function boundsUs({ since, until }: Read): { sinceUs: number; untilUs: number } {
  return {
    sinceUs: since === null ? -Infinity : Date.parse(since) * 1_000,
    untilUs: until === null ? Infinity : Date.parse(until) * 1_000,
  };
}

function countOf({ chunks }: DayHoldings): number {
  return Object.values(chunks ?? {}).reduce((sum, ofStream) => sum + ofStream.length, 0);
}
