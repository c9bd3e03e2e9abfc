/** Plans of questions asked before: dashboards and --watch ask the same SQL again and again. */
import { boundsOf } from "./range.ts";
import type { Plan } from "./plan.ts";
import type { PlanRequest } from "./planner.ts";

/** A plan is some times as long as its SQL: with the limit below, a cache of a few MB. */
const PLANS_MAX = 100;
const SQL_CHARACTERS_MAX = 8_192;

/** A plan that does not hang on the clock, and what decides about the range it reads. */
export interface CachedPlan {
  plan: Plan;
  sqlBoundsTime: boolean;
}

export class PlanCache {
  /** The longest unused comes first. */
  private readonly plans = new Map<string, CachedPlan>();

  /** The plan of this SQL over these tables, for the range of this request. */
  find(request: PlanRequest): Plan | null {
    const key = keyOf(request);
    const cached = this.plans.get(key);
    if (cached === undefined) return null;
    this.plans.delete(key);
    this.plans.set(key, cached);
    return { ...cached.plan, range: boundsOf(request.range, cached.sqlBoundsTime) };
  }

  add(request: PlanRequest, plan: CachedPlan): void {
    if (request.sql.length > SQL_CHARACTERS_MAX) return;
    this.plans.set(keyOf(request), plan);
    for (const oldest of this.plans.keys()) {
      if (this.plans.size <= PLANS_MAX) break;
      this.plans.delete(oldest);
    }
  }
}

function keyOf({ sql, tables, broadcast, rowsMax, version }: PlanRequest): string {
  return JSON.stringify([sql, tables, broadcast, rowsMax, version]);
}
