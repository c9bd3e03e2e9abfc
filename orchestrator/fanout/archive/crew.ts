/** The agents of a region at one moment, those with the least to do first: whom to ask for a piece. */

/** Pieces of one agent at once: one is read while the other is fetched. */
export const PIECES_AT_ONCE = 2;

export interface CrewOptions {
  agents: readonly string[];
  /** Pieces that an agent is asked for by now. */
  load: (agent: string) => number;
  /** Whether it may be asked by now, apart from its load. */
  isReady: (agent: string) => boolean;
  /** Whether others are to be asked rather than it. */
  isLast: (agent: string) => boolean;
}

/** A choice: an agent; that all who could do it are busy; or that nobody can. */
export type Choice = { agent: string } | "busy" | "nobody";

const NOBODY_TRIED: ReadonlySet<string> = new Set();

/** One look at a fleet serves any number of pieces: a choice costs the same however many agents there are. */
export class Crew {
  private readonly members: ReadonlySet<string>;
  private readonly quick: Lanes;
  private readonly last: Lanes;

  constructor(options: CrewOptions) {
    const { agents, isLast } = options;
    this.members = new Set(agents);
    this.quick = new Lanes(agents.filter((agent) => !isLast(agent)), options);
    this.last = new Lanes(agents.filter(isLast), options);
  }

  /**
   * The agent that holds the chunks of a piece, if it is free; else the one with the least to do.
   * @param holder null: no agent holds them @param tried those that are not to be asked again
   */
  choose(holder: string | null, tried: ReadonlySet<string> = NOBODY_TRIED): Choice {
    const lanes = this.quick.hasOther(tried) ? this.quick : this.last;
    if (!lanes.hasOther(tried)) return "nobody";
    if (holder !== null && lanes.has(holder) && !tried.has(holder)) {
      return lanes.isFree(holder) ? { agent: holder } : "busy";
    }
    const agent = lanes.least(PIECES_AT_ONCE, tried);
    return agent === null ? "busy" : { agent };
  }

  /** One that has nothing to do; null: all have. */
  idle(tried: ReadonlySet<string>): string | null {
    return this.quick.least(1, tried) ?? this.last.least(1, tried);
  }

  has(agent: string): boolean {
    return this.members.has(agent);
  }
}

/** Agents by load. Their loads only grow while it is used: an agent that has more by now is moved on. */
class Lanes {
  private readonly members: ReadonlySet<string>;
  /** By load, those that may be asked. */
  private readonly byLoad: string[][] = Array.from({ length: PIECES_AT_ONCE }, () => []);

  constructor(
    agents: readonly string[],
    private readonly options: Pick<CrewOptions, "load" | "isReady">,
  ) {
    this.members = new Set(agents);
    for (const agent of agents) {
      if (options.isReady(agent)) this.byLoad[options.load(agent)]?.push(agent);
    }
    for (const lane of this.byLoad) lane.reverse(); // taken from the end
  }

  has(agent: string): boolean {
    return this.members.has(agent);
  }

  isFree(agent: string): boolean {
    return this.options.load(agent) < PIECES_AT_ONCE && this.options.isReady(agent);
  }

  /** Whether there is anyone who was not tried. */
  hasOther(tried: ReadonlySet<string>): boolean {
    let count = this.members.size;
    for (const agent of tried) if (this.members.has(agent)) count--;
    return count > 0;
  }

  /** The one with the least to do, and less than so many pieces; null: none has less. */
  least(pieces: number, tried: ReadonlySet<string>): string | null {
    for (const [load, lane] of this.byLoad.slice(0, pieces).entries()) {
      for (let at = lane.length - 1; at >= 0; at--) {
        const agent = lane[at] ?? "";
        const now = this.options.load(agent);
        if (now === load) {
          if (!tried.has(agent)) return agent;
        } else {
          lane.splice(at, 1);
          this.byLoad[now]?.unshift(agent);
        }
      }
    }
    return null;
  }
}
