/** Shows new lines of the fleet as they come: asks the hosts, merges by time, keeps the leases. */
import { setTimeout as sleep } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import { TailClaims } from "../../protocol/signing/claims.ts";
import { open, parseBody, seal } from "../../protocol/wire/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { TAIL_KEEP_MS, TailMessage } from "../../protocol/wire/messages.ts";
import type { TailCommand, TailKeepCommand } from "../../protocol/wire/messages.ts";
import { matches, parseSelector } from "../../protocol/selector/selector.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import { EVERYWHERE } from "../../queries/plan/reach.ts";
import type { Authority } from "../access/authority.ts";
import type { ChunkCatalog } from "../fleet/chunk_catalog.ts";
import { labelsOf } from "../fleet/fleet.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { queryIdOf } from "./query_id.ts";
import { chooseAudience } from "./audience.ts";
import { coverageOf } from "./coverage.ts";
import type { Missing } from "./coverage.ts";
import { LineMerger } from "./line_merger.ts";
import type { HostLine } from "./line_merger.ts";
import { TailRun } from "./tail_run.ts";
import { NO_HOST_YET, unanswered } from "./unanswered.ts";

const TAILING_MAX = 16;

/** Hosts check the condition before they begin: times as long as they may take to take a query. */
const START_ACKS = 3;

/** Hosts share the rate, but not all write at once: each may send this many times its share. */
const SHARES = 2;
const HOST_RATE_MIN = 10;

const TICK_MS = 100;

const log = getLogger(["orchestrator", "fanout"]);

export interface TailsParts {
  broker: Pick<BrokerConnection, "publishNow" | "requireConnected">;
  fleet: Fleet;
  catalog: ChunkCatalog;
  authority: Authority;
  /** Unique among the orchestrators of the broker: lines come to topics of this name. */
  name: string;
  topicPrefix: string;
  /** How long a host may take to acknowledge a query. */
  ackTimeoutMs: number;
  now: () => number;
}

export interface TailQuestion {
  condition: string;
  /** Signed claims. */
  token: string;
}

/** Who reads it. What is told waits until the promise of the one before resolves. */
export interface TailReader {
  /** Ends it on every host. */
  signal: AbortSignal;
  started(
    facts: { queryId: string; stream: string; answered: number; missing: Missing[] },
  ): Promise<void>;
  lines(lines: readonly HostLine[]): Promise<void>;
  /** Hosts that have come, or come back. */
  joined(hosts: readonly string[]): Promise<void>;
  /** Hosts that have left. */
  missing(missing: readonly Missing[]): Promise<void>;
  /** Totals, whenever they have grown, and now and then to see whether the reader is there. */
  leftOut(totals: { leftOut: number; unchecked: number }): Promise<void>;
}

/** How often totals are told: when they have grown, and anyway. */
const TOTALS_EVERY_MS = 1_000;
const ALIVE_EVERY_MS = 15_000;

export class Tails {
  private readonly running = new Map<string, Running>();

  constructor(private readonly parts: TailsParts) {}

  /**
   * Runs until the reader goes or nobody is left.
   * @throws {LogvendError} not_permitted, bad_sql or unavailable
   */
  async tail(question: TailQuestion, reader: TailReader): Promise<void> {
    const { claims, audience } = await this.prepare(question);
    const { id, rate_max: rate, stream } = claims;
    const merger = new LineMerger({ rate, now: () => performance.now() });
    const run = new TailRun(audience.asked.map(({ presence }) => presence.host), merger);
    const running: Running = { run, question, claims, waits: new Set() };
    this.running.set(id, running);
    const keep = () => this.tell(run.active(), "tail_keep", { request: id });
    const keeping = setInterval(keep, TAIL_KEEP_MS);
    try {
      this.ask(audience.asked.map(({ presence }) => presence.host), running);
      const late = sleep(START_ACKS * this.parts.ackTimeoutMs, undefined, { ref: false });
      await Promise.race([run.started, late, aborted(reader.signal)]);
      this.cancel(run.giveUpOnSilent(), id);
      const missing = [...audience.missing, ...run.takeMissing()];
      if (run.tailing() === 0 && !reader.signal.aborted) {
        throw unanswered(run.errors, coverageOf([], missing));
      }
      const queryId = queryIdOf(id);
      await reader.started({ queryId, stream, answered: run.tailing(), missing });
      await show({ run, merger, reader });
    } finally {
      clearInterval(keeping);
      for (const wait of running.waits) clearTimeout(wait);
      this.running.delete(id);
      this.cancel(run.active(), id);
    }
  }

  /** Takes a message of `a/{host}/tail/…`; what is none of ours is logged. */
  receive(host: string, request: string, payload: Uint8Array): void {
    const run = this.running.get(request)?.run;
    if (run === undefined) return;
    try {
      run.receive(host, parseBody(TailMessage, open(payload).body, "tail"));
    } catch (error) {
      log.warning("Ignored a message of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** A host went offline or restarted. */
  hostGone(host: string): void {
    for (const { run } of this.running.values()) run.hostGone(host);
  }

  /** A host is there, or there again: it joins the tails that are asked of it. */
  hostCame(host: string): void {
    const presence = this.parts.fleet.get(host)?.presence;
    if (presence?.commands.includes("tail") !== true) return;
    for (const [id, running] of this.running) {
      const { run, claims: { selector, stream } } = running;
      const isMeant = matches(parseSelector(selector), labelsOf(presence)) &&
        presence.streams.includes(stream);
      if (!isMeant || !run.join(host)) continue;
      this.ask([host], running);
      const wait = setTimeout(() => {
        running.waits.delete(wait);
        if (run.giveUpOn(host)) this.cancel([host], id);
      }, START_ACKS * this.parts.ackTimeoutMs);
      running.waits.add(wait);
    }
  }

  /** Ends all: there is no broker any more, or no orchestrator. */
  end(error: LogvendError): void {
    for (const { run } of this.running.values()) run.over.abort(error);
  }

  private async prepare({ condition, token }: TailQuestion) {
    const { broker, fleet, catalog, authority, now } = this.parts;
    const { claims } = await authority.check(TailClaims, { sql: condition, token });
    broker.requireConnected();
    if (fleet.list().length === 0) throw new LogvendError("unavailable", NO_HOST_YET);
    if (this.running.size >= TAILING_MAX) {
      throw new LogvendError("unavailable", `${TAILING_MAX} tails are running; end one first`);
    }
    const { selector, stream } = claims;
    const audience = chooseAudience({
      fleet,
      catalog,
      selector,
      read: { tables: [stream], since: null, until: null },
      reach: EVERYWHERE,
      nowMs: now(),
      needs: { command: "tail" },
    });
    return { claims, audience };
  }

  private ask(
    hosts: readonly string[],
    { question: { condition, token }, claims, run }: Running,
  ) {
    const { rate_max } = claims;
    const share = Math.ceil(SHARES * rate_max / run.active().length);
    const command: TailCommand = {
      request: claims.id,
      orchestrator: this.parts.name,
      condition,
      token,
      rate: Math.min(rate_max, Math.max(HOST_RATE_MIN, share)),
    };
    this.publish(hosts, "tail", command);
  }

  private cancel(hosts: readonly string[], request: string) {
    this.tell(hosts, "cancel", { request });
  }

  /** What is not heard changes nothing: hosts end a tail by themselves. */
  private tell(hosts: readonly string[], type: "cancel" | "tail_keep", command: TailKeepCommand) {
    try {
      this.publish(hosts, type, command);
    } catch (error) {
      log.warning("Cannot say {type}: {reason}.", { type, reason: messageOf(error) });
    }
  }

  private publish(hosts: readonly string[], type: string, body: unknown) {
    const { broker, topicPrefix, now } = this.parts;
    const payload = seal({ type, body, issuedAtMs: now() });
    for (const host of hosts) {
      broker.publishNow({ topic: agentTopics(topicPrefix, host).command, payload });
    }
  }
}

/** One under way, and what hosts are asked that come later. */
interface Running {
  run: TailRun;
  question: TailQuestion;
  claims: TailClaims;
  /** For hosts that were asked later. */
  waits: Set<ReturnType<typeof setTimeout>>;
}

interface Showing {
  run: TailRun;
  merger: LineMerger;
  reader: TailReader;
}

/** Tells the reader what comes. @throws why it is over, unless the reader has gone */
async function show({ run, merger, reader }: Showing): Promise<void> {
  const over = AbortSignal.any([reader.signal, run.over.signal]);
  let told = { leftOut: 0, unchecked: 0 };
  let toldMs = performance.now();
  const tellAll = async (lines: readonly HostLine[]) => {
    const joined = run.takeJoined();
    if (joined.length > 0) await reader.joined(joined);
    if (lines.length > 0) await reader.lines(lines);
    const missing = run.takeMissing();
    if (missing.length > 0) await reader.missing(missing);
    const { totals } = run;
    const hasGrown = totals.leftOut > told.leftOut || totals.unchecked > told.unchecked;
    const everyMs = over.aborted ? 0 : TOTALS_EVERY_MS;
    if (performance.now() - toldMs < (hasGrown ? everyMs : ALIVE_EVERY_MS)) return;
    await reader.leftOut(totals);
    told = totals;
    toldMs = performance.now();
  };
  for (;;) {
    await sleep(TICK_MS, undefined, { signal: over }).catch(() => {}); // then the loop ends
    if (over.aborted) break;
    await tellAll(merger.take());
  }
  if (reader.signal.aborted) return;
  await tellAll(merger.rest());
  throw run.over.signal.reason;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
