/**
 * Has every piece of a question answered by one agent: those with the least to do are asked first,
 * others when one dies, refuses, or takes much longer than usual.
 */
import { LogvendError } from "../../../protocol/errors.ts";
import { BUSY_RULE } from "../../../protocol/wire/messages.ts";
import type { HostAnswer, Outcome } from "../collector.ts";
import { Crew, PIECES_AT_ONCE } from "./crew.ts";
import type { Choice } from "./crew.ts";
import type { Piece } from "./pieces.ts";

/** A piece that so many agents could not answer is not answerable. */
const TRIES_MAX = 3;
/** A piece that takes so many times the usual time is asked of another agent too. */
const SLOW_FACTOR = 4;
const SLOW_MIN_MS = 3_000;
/** Before any piece is done. */
const USUAL_MS = 10_000;
/** Of so many pieces that were done last the usual time is taken. */
const USUAL_OF = 100;
const TICK_MS = 500;
/** An agent that has too much to do is asked again after that, for as long as the question may take. */
export const BUSY_REST_MS = 1_000;

/** Errors that every other agent would have too. */
export const FINAL_CODES: ReadonlySet<string> = new Set(["bad_sql", "too_many_rows"]);

type Missing = Extract<Outcome, { kind: "missing" }>;

/** How a piece came out. */
export type PieceOutcome =
  | { kind: "answered"; piece: Piece; agent: string; answer: HostAnswer }
  | { kind: "missing"; piece: Piece; outcome: Missing };

export interface PieceRunnerOptions {
  pieces: readonly Piece[];
  /** Agents of a region that are there by now and may read its pieces. */
  agents: (region: string) => readonly string[];
  /** Whether the host of a piece may read it though it is none of those. @default none may */
  isHolder?: (piece: Piece) => boolean;
  /** Asks an agent for a piece; an abort of the signal cancels it there. */
  ask: (agent: string, piece: Piece, signal: AbortSignal) => Promise<Outcome>;
  /** @default performance.now */
  now?: () => number;
}

interface Job {
  piece: Piece;
  /** Agents that have been asked, and are not to be asked again. */
  tried: Set<string>;
  attempts: Set<Attempt>;
  /** How the last of them that failed came out. */
  failed: Missing | null;
  isDone: boolean;
}

interface Attempt {
  agent: string;
  startedMs: number;
  stop: AbortController;
}

export class PieceRunner {
  /** By region and host, the last first: none of them was asked for yet, so what holds for one holds for all. */
  private readonly queues: Map<string, Job[]>;
  /** Those that somebody could not answer: asked for before the others. */
  private again: Job[] = [];
  private readonly running = new Set<Job>();
  private readonly load = new Map<string, number>();
  /** Agents that others were faster than, though they were asked later. */
  private readonly overtaken = new Set<string>();
  /** Until when agents are left alone that have too much to do. */
  private readonly restsUntilMs = new Map<string, number>();
  private readonly doneMs: number[] = [];
  /** By region, for as long as one look at them holds. */
  private readonly crews = new Map<string, Crew>();
  private readonly outcomes: PieceOutcome[] = [];
  private failure: unknown = null;
  private wake: () => void = () => {};
  private readonly now: () => number;

  constructor(private readonly options: PieceRunnerOptions) {
    this.now = options.now ?? (() => performance.now());
    const jobs = options.pieces.map((piece): Job => {
      return { piece, tried: new Set(), attempts: new Set(), failed: null, isDone: false };
    });
    this.queues = Map.groupBy(
      jobs.reverse(),
      ({ piece: { region, host } }) => `${region} ${host ?? ""}`,
    );
  }

  /** Each piece once, as they come out. @throws the first error that is no agent's fault alone */
  async *run(signal: AbortSignal): AsyncGenerator<PieceOutcome[]> {
    const onAbort = () => this.wake();
    signal.addEventListener("abort", onAbort);
    const timer = setInterval(() => this.wake(), TICK_MS);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.failure !== null) throw this.failure;
        if (this.outcomes.length > 0) yield this.outcomes.splice(0);
        this.assign();
        if (this.outcomes.length > 0) continue;
        if (this.again.length + this.queues.size + this.running.size === 0) return;
        await new Promise<void>((resolve) => this.wake = resolve);
      }
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", onAbort);
      for (const job of this.running) this.stop(job);
    }
  }

  private assign() {
    this.crews.clear(); // agents come and go
    this.again = this.again.filter((job) => !this.place(job));
    for (const [key, queue] of this.queues) {
      let job = queue.at(-1);
      while (job !== undefined && this.place(job)) {
        queue.pop();
        job = queue.at(-1);
      }
      if (job === undefined) this.queues.delete(key);
    }
    this.helpSlow(); // with what only waits for the host whose it is, others may be idle
  }

  /** Whether a piece waits no longer: some agent is asked, or there is none. */
  private place(job: Job): boolean {
    const choice = this.choose(job);
    if (choice === "busy") return false;
    if (choice === "nobody") {
      this.settle(job, { kind: "missing", piece: job.piece, outcome: nobodyLeft(job) });
    } else this.start(job, choice.agent);
    return true;
  }

  /** The agent whose chunks they are, if it is free; else the one with the least to do. */
  private choose({ piece, tried }: Job): Choice {
    const { region, host } = piece;
    const crew = this.crew(region);
    const choice = crew.choose(host, tried);
    if (host === null || crew.has(host) || tried.has(host)) return choice;
    if (this.overtaken.has(host) && choice !== "nobody") return choice;
    if (this.options.isHolder?.(piece) !== true) return choice;
    return this.takes(host) ? { agent: host } : "busy";
  }

  private crew(region: string): Crew {
    const known = this.crews.get(region);
    if (known !== undefined) return known;
    const crew = new Crew({
      agents: this.options.agents(region),
      load: (agent) => this.load.get(agent) ?? 0,
      isReady: (agent) => this.isReady(agent),
      isLast: (agent) => this.overtaken.has(agent),
    });
    this.crews.set(region, crew);
    return crew;
  }

  private helpSlow() {
    const usualMs = this.doneMs.toSorted((a, b) => a - b)[Math.floor(this.doneMs.length / 2)];
    const slowMs = Math.max(SLOW_MIN_MS, SLOW_FACTOR * (usualMs ?? USUAL_MS));
    for (const job of this.running) {
      if (job.attempts.size > 1) continue;
      const [attempt] = job.attempts;
      if (attempt === undefined || this.now() - attempt.startedMs < slowMs) continue;
      const idle = this.crew(job.piece.region).idle(job.tried);
      if (idle !== null) this.start(job, idle);
    }
  }

  /** Whether an agent has room for a piece, and may be asked by now. */
  private takes(agent: string): boolean {
    return (this.load.get(agent) ?? 0) < PIECES_AT_ONCE && this.isReady(agent);
  }

  private isReady(agent: string): boolean {
    return this.now() >= (this.restsUntilMs.get(agent) ?? -Infinity);
  }

  private start(job: Job, agent: string) {
    const attempt = { agent, startedMs: this.now(), stop: new AbortController() };
    job.tried.add(agent);
    job.attempts.add(attempt);
    this.running.add(job);
    this.load.set(agent, (this.load.get(agent) ?? 0) + 1);
    this.options.ask(agent, job.piece, attempt.stop.signal)
      .then((outcome) => this.ended(job, attempt, outcome), (error) => {
        if (!job.isDone) this.failure ??= error; // else it was told to stop
      })
      .finally(() => {
        this.load.set(agent, (this.load.get(agent) ?? 1) - 1);
        this.wake();
      });
  }

  private ended(job: Job, attempt: Attempt, outcome: Outcome) {
    job.attempts.delete(attempt);
    if (job.isDone) return;
    const { piece } = job;
    if (outcome.kind === "answered") {
      for (const { agent, startedMs } of job.attempts) {
        if (startedMs < attempt.startedMs) this.overtaken.add(agent);
      }
      this.doneMs.push(this.now() - attempt.startedMs);
      if (this.doneMs.length > USUAL_OF) this.doneMs.shift();
      this.settle(job, { kind: "answered", piece, agent: attempt.agent, answer: outcome.answer });
      return;
    }
    if (outcome.error?.rule === BUSY_RULE) {
      job.tried.delete(attempt.agent);
      this.restsUntilMs.set(attempt.agent, this.now() + BUSY_REST_MS);
    }
    if (job.attempts.size > 0) return; // another agent is still at it
    this.running.delete(job);
    const isFinal = outcome.error !== undefined && FINAL_CODES.has(outcome.error.code);
    if (isFinal || job.tried.size >= TRIES_MAX) {
      this.settle(job, { kind: "missing", piece, outcome });
    } else {
      job.failed = outcome;
      this.again.push(job);
    }
  }

  private settle(job: Job, outcome: PieceOutcome) {
    job.isDone = true;
    this.running.delete(job);
    this.outcomes.push(outcome);
    this.stop(job);
  }

  private stop(job: Job) {
    for (const { stop } of job.attempts) {
      stop.abort(new LogvendError("cancelled", "Another agent was faster"));
    }
  }
}

/** No other agent could be asked: what the last one said, if there was one. */
function nobodyLeft({ piece, failed }: Job): Missing {
  const reason = `no agent of ${piece.region} that reads its archive is online`;
  return failed ?? { kind: "missing", host: piece.host ?? piece.region, why: "lost", reason };
}
