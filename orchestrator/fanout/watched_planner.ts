/** A planner that is given up when SQL holds it up: the next question gets another one. */
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../protocol/errors.ts";
import { Planner } from "../../queries/plan/planner.ts";
import type { Planning, PlanRequest } from "../../queries/plan/planner.ts";

/** Longer than a planner allows itself: it did not heed its own interrupt. */
const HEEDED_MS = 6_500;

/** Planners that were given up, each with a core and what memory it takes: more are waited for. */
const STUCK_MAX = 2;

/** So long those are waited for when all ends. */
const END_MS = 5_000;

/** How long is waited, for SQL and for what it holds up. */
export interface Patience {
  heededMs: number;
  endMs: number;
}

export class WatchedPlanner implements AsyncDisposable {
  private readonly stuck = new Set<Promise<void>>();
  private next: Promise<Planner> | null = null;

  private constructor(private planner: Planner, private readonly patience: Patience) {}

  static async open(
    patience: Patience = { heededMs: HEEDED_MS, endMs: END_MS },
  ): Promise<WatchedPlanner> {
    return new WatchedPlanner(await Planner.open(), patience);
  }

  /** As a planner does. @throws {LogvendError} bad_sql, with the position "line:column" */
  async start(request: PlanRequest): Promise<Planning> {
    await this.next;
    const { planner } = this;
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {}); // thrown below, unless nobody waits for it any more
    const timer = setTimeout(() => {
      this.giveUp(planner);
      late.reject(new LogvendError("bad_sql", "The SQL takes too long to plan: simplify it"));
    }, this.patience.heededMs);
    try {
      const planning = await Promise.race([planner.start(request), late.promise]);
      const plan = Promise.race([planning.plan, late.promise]).finally(() => clearTimeout(timer));
      plan.catch(() => {}); // whoever waits for it sees it
      return { ...planning, plan };
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  }

  private giveUp(planner: Planner) {
    if (this.stuck.size >= STUCK_MAX || planner !== this.planner || this.next !== null) return;
    getLogger(["orchestrator", "fanout"]).warning(
      "SQL holds the planner up: another one is opened.",
    );
    this.next = Planner.open().then((opened) => {
      this.next = null;
      return this.planner = opened;
    });
    const ended = planner[Symbol.asyncDispose]().finally(() => this.stuck.delete(ended));
    this.stuck.add(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.next;
    await this.planner[Symbol.asyncDispose]();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, this.patience.endMs));
    await Promise.race([Promise.all(this.stuck), late]);
    clearTimeout(timer);
  }
}
