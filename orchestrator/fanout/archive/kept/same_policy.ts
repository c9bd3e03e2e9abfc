/**
 * Which kept answers would be given in the same way today: those whose agent has the policy still that it
 * read them under. A policy that was tightened meanwhile holds for what was read before, too.
 */
import type { Outcome } from "../../collector.ts";
import type { PieceCommand } from "../archive_work.ts";
import type { UsableAnswer } from "./kept_question.ts";

export interface PolicyAsking {
  /** Whether an agent is there, and reads the archive. */
  isThere: (agent: string) => boolean;
  /** Those that may be asked for a piece of a region. */
  agents: (region: string) => readonly string[];
  ask: (agent: string, piece: PieceCommand, signal: AbortSignal) => Promise<Outcome>;
}

/** The policy that an agent has; null: it refuses the question, or is too old to say. */
type Said = { policy: string | null };

/** Agents that are asked at once; it takes each of them one run of a worker. */
const ASKED_AT_ONCE = 32;
/** An agent that says nothing for so long is not waited for. */
const SAYS_WITHIN_MS = 10_000;
/** Others that are asked in the place of an agent that is away. */
const OTHERS_MAX = 2;

/** The agent has to be there and say so; where it is away, another one that would be asked instead. */
export async function underSamePolicy(
  answers: readonly UsableAnswer[],
  asking: PolicyAsking,
  signal: AbortSignal,
): Promise<UsableAnswer[]> {
  const policies = new Policies(asking, signal);
  const good = new Set<UsableAnswer>();
  const groups = [...Map.groupBy(answers, ({ reader }) => reader).values()];
  const next = async () => {
    for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
      for (const answer of group) if (await policies.isSame(answer)) good.add(answer);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, next));
  return answers.filter((answer) => good.has(answer));
}

class Policies {
  /** By agent; null: it said nothing. */
  private readonly known = new Map<string, Promise<Said | null>>();

  constructor(private readonly asking: PolicyAsking, private readonly signal: AbortSignal) {}

  async isSame({ reader, policy, chunks: [chunk] }: UsableAnswer): Promise<boolean> {
    if (policy === null || chunk === undefined) return false;
    const others = this.asking.agents(chunk.place.region).filter((agent) => agent !== reader);
    for (const agent of [reader, ...others.slice(0, OTHERS_MAX)]) {
      const said = await this.of(agent);
      if (said !== null) return said.policy === policy;
    }
    return false;
  }

  private of(agent: string): Promise<Said | null> {
    const saying = this.known.get(agent) ?? this.ask(agent);
    this.known.set(agent, saying);
    return saying;
  }

  /** A piece of no chunks: it is checked as any other is, and its answer says under which policy. */
  private async ask(agent: string): Promise<Said | null> {
    const { signal, asking } = this;
    if (!asking.isThere(agent)) return null;
    const within = AbortSignal.timeout(SAYS_WITHIN_MS);
    try {
      const until = AbortSignal.any([signal, within]);
      const outcome = await asking.ask(agent, { kind: "read", chunks: [] }, until);
      if (outcome.kind === "answered") return { policy: outcome.answer.coverage.policy ?? null };
      const isAway = ["no_ack", "lost", "timeout"].includes(outcome.why) ||
        outcome.error?.code === "unavailable";
      return isAway ? null : { policy: null };
    } catch (error) {
      if (within.aborted && !signal.aborted) return null;
      throw error;
    }
  }
}
