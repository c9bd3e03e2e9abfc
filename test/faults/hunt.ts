/** Brings a running agent to a stand exactly within a phase: freeze, look, thaw, until it is there. */
import type { AgentUnderTest } from "./agent_process.ts";
import { readFolder } from "./data_folder.ts";
import { standstill } from "./phases.ts";
import type { Phase, Standstill } from "./phases.ts";
import type { Random } from "./random.ts";
import type { Watch } from "./watch.ts";

/** Of an agent that reads: a phase that has not come by then does not come in this life. */
const HUNT_MS = 4_000;

/** Looks after a phase came near: it has passed by then. */
const STEPS_MAX = 40;

export interface Hunt {
  agent: AgentUnderTest;
  phase: Phase;
  watch: Watch;
  random: Random;
  /** Lines that were written whole. */
  lines: () => number;
}

/** Returns with the agent frozen or running: where it is to be killed. */
export async function hunt({ agent, phase, watch, random, lines }: Hunt): Promise<void> {
  const look = () => lookAt(agent.dataDir, lines());
  let endsAt = Infinity;
  let failure: unknown;
  agent.reads().then(() => endsAt = performance.now() + HUNT_MS, (error) => {
    failure = error;
    endsAt = 0;
  });
  while (performance.now() < endsAt) {
    if (!phase.isNear(watch)) {
      if (!watch.isChunkNear()) await new Promise((resolve) => setTimeout(resolve, 1));
      else spin(20);
      continue;
    }
    for (let step = 0; step < STEPS_MAX; step++) {
      agent.freeze();
      if (phase.isHit(await look())) {
        if (random.chance(0.3)) { // not always its first moment
          agent.thaw();
          spin(random.between(0, 1_500));
        }
        return;
      }
      agent.thaw();
      spin(random.between(50, 300));
    }
  }
  if (failure !== undefined) throw failure;
}

/** What lies in a data folder whose agent is frozen or dead. */
export async function lookAt(dataDir: string, lines: number): Promise<Standstill> {
  const state = await readFolder(dataDir);
  return await standstill(dataDir, state, state.lines >= lines);
}

/** Waits for some microseconds, which no timer can. */
function spin(us: number) {
  const endsAt = performance.now() + us / 1_000;
  while (performance.now() < endsAt);
}
