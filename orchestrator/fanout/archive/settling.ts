/** After its start an orchestrator waits for agents that it knows: they come back by and by. */
import type { Fleet } from "../../fleet/fleet.ts";

const LOOK_EVERY_MS = 250;

/** Each comes after a wait of its own. */
const SETTLING_MS = 60_000;

/** An agent that had not been heard for so long may be away for good. */
const HEARD_WITHIN_MS = 15 * 60_000;

export interface Settling {
  fleet: Pick<Fleet, "list">;
  region: string;
  /** When the orchestrator started, by Date.now(). */
  startedMs: number;
  /** Those of the region that are there. */
  agents: () => readonly string[];
}

/**
 * Resolves when an agent of the region is there, or none is to be expected any more. One that came
 * back and left again is not.
 */
export async function cameBack(
  { fleet, region, startedMs, agents }: Settling,
  signal: AbortSignal,
): Promise<void> {
  const isExpected = () =>
    fleet.list().some(({ presence, seenMs, retiredMs }) =>
      presence.region === region && retiredMs === null &&
      seenMs !== null && seenMs < startedMs && startedMs - seenMs < HEARD_WITHIN_MS
    );
  while (agents().length === 0 && Date.now() < startedMs + SETTLING_MS && isExpected()) {
    await new Promise<void>((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    signal.throwIfAborted();
  }
}
