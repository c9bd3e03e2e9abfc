/**
 * Has every piece of a question answered by one agent: those with the least to do are asked first,
 * others when one dies, refuses, or takes much longer than usual.
 */
import { LogvendError } from "../../../protocol/errors.ts";
import { BUSY_RULE } from "../../../protocol/wire/messages.ts";
import type { HostAnswer, Outcome } from "../collector.ts";
import type { Piece } from "./pieces.ts";

/** Pieces of one agent at once: one is read while the other is fetched. */
const PIECES_AT_ONCE = 2;
/** A piece that so many agents could not answer is not answerable. */
const TRIES_MAX = 3;
/** A piece that takes so many times the usual time is asked of another agent too. */
const SLOW_FACTOR = 4;
const SLOW_MIN_MS = 3_000;
/** Before any piece is done. */
const USUAL_MS = 10_000;
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
  /** Agents that are there by now and may read a piece. */
  agents: (piece: Piece) => readonly string[];
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
  private readonly waiting: Job[];
  private readonly running = new Set<Job>();
  private readonly load = new Map<string, number>();
  /** Agents that others were faster than, though they were asked later. */
  private readonly overtaken = new Set<string>();
  /** Until when agents are left alone that have too much to do. */
  private readonly restsUntilMs = new Map<string, number>();
  private readonly doneMs: number[] = [];
  private readonly outcomes: PieceOutcome[] = [];
  private failure: unknown = null;
  private wake: () => void = () => {};
  private readonly now: () => number;

  constructor(private readonly options: PieceRunnerOptions) {
    this.now = options.now ?? (() => performance.now());
    this.waiting = options.pieces.map((piece) => {
      return { piece, tried: new Set(), attempts: new Set(), failed: null, isDone: false };
    });
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
        if (this.waiting.length + this.running.size === 0) return;
        await new Promise<void>((resolve) => this.wake = resolve);
      }
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", onAbort);
      for (const job of this.running) this.stop(job);
    }
  }

  private assign() {
    for (const job of [...this.waiting]) {
      const agents = this.options.agents(job.piece).filter((one) => !job.tried.has(one));
      const agent = this.choose(agents, job.piece);
      if (agent === null && (agents.length > 0)) continue; // all of them are busy
      this.waiting.splice(this.waiting.indexOf(job), 1);
      if (agent !== null) this.start(job, agent);
      else this.settle(job, { kind: "missing", piece: job.piece, outcome: nobodyLeft(job) });
    }
    this.helpSlow(); // with what only waits for the host whose it is, others may be idle
  }

  /** The agent whose chunks they are, if it is free; else the one with the least to do. */
  private choose(able: readonly string[], { host }: Piece): string | null {
    const quick = able.filter((agent) => !this.overtaken.has(agent));
    const agents = quick.length > 0 ? quick : able;
    const free = agents.filter((agent) => this.takes(agent, PIECES_AT_ONCE));
    if (host !== null && agents.includes(host)) return free.includes(host) ? host : null;
    const [first] = free.toSorted((a, b) => (this.load.get(a) ?? 0) - (this.load.get(b) ?? 0));
    return first ?? null;
  }

  private helpSlow() {
    const usualMs = this.doneMs.toSorted((a, b) => a - b)[Math.floor(this.doneMs.length / 2)];
    const slowMs = Math.max(SLOW_MIN_MS, SLOW_FACTOR * (usualMs ?? USUAL_MS));
    for (const job of this.running) {
      const [attempt, ...more] = job.attempts;
      if (attempt === undefined || more.length > 0) continue;
      if (this.now() - attempt.startedMs < slowMs) continue;
      const agents = this.options.agents(job.piece).filter((one) => !job.tried.has(one));
      const idle = agents.find((agent) => this.takes(agent, 1));
      if (idle !== undefined) this.start(job, idle);
    }
  }

  /** Whether an agent has fewer pieces than that, and may be asked by now. */
  private takes(agent: string, pieces: number): boolean {
    return (this.load.get(agent) ?? 0) < pieces &&
      this.now() >= (this.restsUntilMs.get(agent) ?? -Infinity);
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
      this.waiting.unshift(job);
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
