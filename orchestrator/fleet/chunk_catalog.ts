/** What every host holds, as it says itself: statements as they come, days by asking for them. */
import { getLogger } from "@logtape/logtape";
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import { originOf } from "../../protocol/chunk/chunk_id.ts";
import { hourOf } from "../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../protocol/chunk/chunk_path.ts";
import { open, parseBody, seal } from "../../protocol/wire/envelope.ts";
import { messageOf } from "../../protocol/errors.ts";
import { DayHoldings, DAYS_ASKED_MAX, HostHoldings } from "../../protocol/wire/holdings.ts";
import type { HoldingsCommand } from "../../protocol/wire/holdings.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import { MADE_TABLES, REJECTS } from "../../protocol/schema/streams.ts";

/** Hosts asked for days at once: brokers drop what they cannot deliver, answers to queries too. */
const HOSTS_ASKED_MAX = 16;
/** After so long a silence they are asked again. */
const ASK_AGAIN_MS = 5_000;
const TICK_MS = 1_000;

const HOUR_MS = 3_600_000;

/** Chunks of all hosts, at some 50 bytes each. Beyond it days stay unknown: their hosts are asked. */
const CHUNKS_MAX = 2_000_000;

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

/** What a host has sealed. */
export interface SealedHours {
  hours: { stream: string; hour: string }[];
  /** From here on it may have more, sealed or not. */
  openFromMs: number;
  /** Before it chunks may have left the host; null: none has. */
  goneUntilMs: number | null;
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

/** What a host holds of a day, in little memory. */
interface Day {
  digest: string;
  /** By stream: rows, bytes, first and last microsecond of one chunk after the other. */
  chunks: ReadonlyMap<string, Float64Array> | null;
  /** Of a host that may hold chunks of others: which there are, by the ids that they were sealed under. */
  origins: ReadonlySet<string> | null;
  marks: DayHoldings["marks"];
}

/** Numbers of a chunk. */
const NUMBERS = 4;

interface Known {
  said: HostHoldings;
  /** Those that it has said, in order. */
  dayNames: readonly string[];
  days: Map<string, Day>;
  /** Days that are unknown, or have changed. */
  wanted: Set<string>;
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
      const before = this.hosts.get(host);
      const days: Known["days"] = before?.days ?? new Map();
      if (before?.said.own_rows !== said.own_rows) { // of its days more is to be known, or less
        for (const day of days.keys()) this.forget(days, day);
      }
      const dayNames = Object.keys(said.days).sort();
      const wanted = dayNames.filter((day) => days.get(day)?.digest !== said.days[day]);
      this.hosts.set(host, { said, dayNames, days, wanted: new Set(wanted) });
      for (const day of days.keys()) if (said.days[day] === undefined) this.forget(days, day);
      this.ask(host);
    } catch (error) {
      const { days = new Map() } = this.hosts.get(host) ?? {};
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
        const kept = dayOf(day, known.said.own_rows);
        known.days.set(day.day, kept);
        this.chunkCount += countOf(kept);
      }
      const isRight = day.digest === known.said.days[day.day];
      if (isRight) known.wanted.delete(day.day);
      else if (known.said.days[day.day] !== undefined) known.wanted.add(day.day);
      if (waiting.size > 0) return;
      this.asked.delete(host);
      if (isRight) this.ask(host); // else it has news on the way
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

  /** Whether all rows of a host surely have its name, as of a version of its holdings. */
  hasOwnRows(host: string, version: string | null): boolean {
    const said = this.hosts.get(host)?.said;
    return said !== undefined && said.version === version && said.own_rows;
  }

  /** Whether a host may hold chunks of another one. */
  mayHoldOfOthers(host: string): boolean {
    return this.hosts.get(host)?.said.own_rows !== true;
  }

  /**
   * Whether a host holds an archived chunk of another one, for its data folder was that one's before;
   * null: it has not said yet, or not all.
   */
  holdsOfOther(host: string, { hour, chunk }: Pick<ChunkPlace, "hour" | "chunk">): boolean | null {
    const known = this.hosts.get(host);
    if (known === undefined) return null;
    const day = hour.slice(0, "2026-11-22".length);
    const { own_rows: hasOwnRows, days, open_from: openFrom } = known.said;
    if (hasOwnRows) return false;
    if (days[day] === undefined) {
      const isTold = openFrom !== null &&
        Date.parse(`${hour}:00:00Z`) + HOUR_MS <= Date.parse(openFrom);
      return isTold ? false : null;
    }
    const origins = known.wanted.has(day) ? null : known.days.get(day)?.origins ?? null;
    return origins?.has(originOf(chunk)) ?? null;
  }

  /** Whether a host may have given away rows of what is read: the archive has them, if any. */
  mayHaveGone(host: string, { tables, since }: Read): boolean {
    const until = this.hosts.get(host)?.said.gone_until ?? null;
    if (until === null || !isListed({ tables, since, until })) return false;
    return since === null || Date.parse(since) < Date.parse(until);
  }

  /** Whether a host has sealed chunks of an hour, `2026-11-22T19`, as far as it has said; or may. */
  hasHour(host: string, stream: string, hour: string): boolean {
    const known = this.hosts.get(host);
    const day = hour.slice(0, "2026-11-22".length);
    if (known?.said.days[day] === undefined) return false;
    const listed = known.days.get(day)?.chunks ?? null;
    if (listed === null) return true;
    const startMs = Date.parse(`${hour}:00:00Z`);
    const within = { sinceUs: startMs * 1_000, untilUs: (startMs + HOUR_MS) * 1_000 };
    return eachOf(listed.get(stream)).some(({ firstUs, lastUs }) =>
      isWithin(within, firstUs, lastUs)
    );
  }

  /**
   * Before when the archive has all of a host's rows, by what it said last; null: it has not said so.
   * @param endMs when it went with a goodbye; null: it was cut off
   */
  archivedToMs(host: string, endMs: number | null): number | null {
    const { unarchived_from: from, open_from: openFrom } = this.hosts.get(host)?.said ?? {};
    if (from === undefined || openFrom === undefined || openFrom === null) return null;
    const openFromMs = Date.parse(openFrom);
    if (from !== null) return Math.min(Date.parse(from), endMs ?? openFromMs);
    return endMs ?? openFromMs;
  }

  /**
   * Which hours of what is read a host has sealed, by what it said last; null where it has not said
   * all of it.
   */
  hours(host: string, read: Read): SealedHours | null {
    const known = this.hosts.get(host);
    const openFrom = known?.said.open_from ?? null;
    if (known === undefined || openFrom === null || !isListed(read)) return null;
    const within = boundsUs(read);
    const hours: SealedHours["hours"] = [];
    for (const day of touchedDays(known, read)) {
      const listed = known.days.get(day)?.chunks ?? null;
      if (listed === null || known.wanted.has(day)) return null;
      for (const stream of read.tables) {
        for (const { firstUs, lastUs } of eachOf(listed.get(stream))) {
          if (!isWithin(within, firstUs, lastUs)) continue;
          hours.push({ stream, hour: hourOf(firstUs / 1_000) });
        }
      }
    }
    const gone = known.said.gone_until ?? null;
    const goneUntilMs = gone === null ? null : Date.parse(gone);
    return { hours, openFromMs: Date.parse(openFrom), goneUntilMs };
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
        for (const { rows, bytes, firstUs, lastUs } of eachOf(listed?.get(table))) {
          if (!isWithin(within, firstUs, lastUs)) continue;
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
      return listed === undefined || known.wanted.has(day) || touches(listed, read);
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
    if (known === undefined || known.wanted.size === 0 || asked.has(host)) return;
    if (asked.size >= HOSTS_ASKED_MAX || this.chunkCount >= chunksMax || !isOnline(host)) return;
    const days = [...known.wanted].sort().reverse().slice(0, DAYS_ASKED_MAX);
    asked.set(host, { ms: this.now(), days: new Set(days) });
    try {
      ask(host, days);
    } catch (error) {
      log.debug("Cannot ask {host} for days: {reason}.", { host, reason: messageOf(error) });
    }
  }

  private forget(days: Map<string, Day>, day: string) {
    const known = days.get(day);
    if (known === undefined) return;
    days.delete(day);
    this.chunkCount -= countOf(known);
  }
}

/** Whether holdings tell anything about these tables. */
function isListed({ tables }: Read): boolean {
  return tables.length > 0 && !tables.some((table) => MADE_TABLES.includes(table));
}

/** Whether the range reaches to where the host may hold anything. */
function isOpen({ said }: Known, { until }: Read): boolean {
  return said.open_from === null || until === null ||
    Date.parse(until) > Date.parse(said.open_from);
}

/** Times are UTC in ISO 8601: their texts are in their order. */
function touchedDays({ dayNames }: Known, { since, until }: Read): string[] {
  const first = since?.slice(0, "2026-11-22".length);
  return dayNames.filter((day) =>
    (until === null || day < until) && (first === undefined || day >= first)
  );
}

/** Whether any chunk or mark touches what is read; rejects are counted whatever is read. */
function touches({ chunks, marks }: Day, read: Read): boolean {
  const bounds = boundsUs(read);
  return chunks === null ||
    [...read.tables, REJECTS].some((table) =>
      eachOf(chunks.get(table)).some(({ firstUs, lastUs }) => isWithin(bounds, firstUs, lastUs))
    ) ||
    marks.some(([stream, firstUs, lastUs]) =>
      (stream === null || read.tables.includes(stream)) && isWithin(bounds, firstUs, lastUs)
    );
}

interface BoundsUs {
  sinceUs: number;
  untilUs: number;
}

function boundsUs({ since, until }: Read): BoundsUs {
  return {
    sinceUs: since === null ? -Infinity : Date.parse(since) * 1_000,
    untilUs: until === null ? Infinity : Date.parse(until) * 1_000,
  };
}

function isWithin({ sinceUs, untilUs }: BoundsUs, firstUs: number, lastUs: number): boolean {
  return lastUs >= sinceUs && firstUs < untilUs;
}

function dayOf({ digest, chunks, marks }: DayHoldings, hasOwnRows: boolean): Day {
  if (chunks === null) return { digest, chunks, origins: null, marks };
  const ids = Object.values(chunks).flatMap((list) => list.map(([id]) => originOf(id)));
  const compact = Object.entries(chunks).map(([stream, list]) =>
    [stream, Float64Array.from(list.flatMap(([, ...numbers]) => numbers))] as const
  );
  const origins = hasOwnRows ? null : new Set(ids);
  return { digest, chunks: new Map(compact), origins, marks };
}

function* eachOf(numbers: Float64Array = new Float64Array()) {
  for (let at = 0; at < numbers.length; at += NUMBERS) {
    const [rows = 0, bytes = 0, firstUs = 0, lastUs = 0] = numbers.subarray(at, at + NUMBERS);
    yield { rows, bytes, firstUs, lastUs };
  }
}

function countOf({ chunks }: Day): number {
  return chunks?.values().reduce((sum, { length }) => sum + length / NUMBERS, 0) ?? 0;
}
