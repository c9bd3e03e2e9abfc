/** kill -9 at any moment: rounds of one agent on one data folder, spread over the store's phases. */
import { AgentUnderTest } from "./agent_process.ts";
import { retiredRows, strays } from "./data_folder.ts";
import { hunt, lookAt } from "./hunt.ts";
import { KillWriting } from "./kill_writing.ts";
import { PHASES } from "./phases.ts";
import type { Phase, Standstill } from "./phases.ts";
import type { Random } from "./random.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { Scene } from "./scene.ts";
import { Watch } from "./watch.ts";

/** All that is sealed goes, and no sealing is begun meanwhile: what goes is known before. */
const RETIRING = { sealAfter: "1h", more: "retention: { bytes: 1B }" };

/** Further rounds at most, for phases that were missed. */
const MORE_ROUNDS_MAX = 40;

export const scenario: Scenario = { name: "01 kill -9", isQuick: true, run };

async function run({ random, rounds }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const { folder } = scene;
  await using retiring = await AgentUnderTest.make({ folder, ...RETIRING });
  const writing = new KillWriting(scene, random);
  const hits = new Map(PHASES.map((phase) => [phase, 0]));
  const order = random.shuffled(PHASES);
  const missed = () => order.filter((phase) => hits.get(phase) === 0);
  const roundsMax = rounds + MORE_ROUNDS_MAX;
  let round = 0;
  for (; round < rounds || (missed().length > 0 && round < roundsMax); round++) {
    const phase = (round < rounds ? order[round % order.length] : missed()[0]) ?? PHASES[0];
    if (phase === undefined) break;
    await inRound(round, phase, async () => {
      if (phase.needsRetention === true) await checkAll(scene, writing);
      const agent = phase.needsRetention === true ? retiring : scene.agent;
      const state = await killOnce({ agent, writing, phase, random });
      for (const hit of PHASES.filter(({ isHit }) => isHit(state))) {
        hits.set(hit, (hits.get(hit) ?? 0) + 1);
      }
      assertConsistent(state, scene.numbers.count);
    });
  }
  const counts = await checkAll(scene, writing);
  const details = [...hits].map(([{ name }, count]) => `${String(count).padStart(6)} ${name}`);
  if (missed().length > 0) throw new Error(`A phase was never hit:\n  ${details.join("\n  ")}`);
  return { caused: `${round} kills`, counts, details };
}

/** Names the round in what goes wrong in it. */
async function inRound(round: number, phase: Phase, work: () => Promise<void>) {
  try {
    await work();
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Round ${round + 1}, ${phase.name}: ${what}`, { cause });
  }
}

interface Round {
  agent: AgentUnderTest;
  writing: KillWriting;
  phase: Phase;
  random: Random;
}

/** One life of the agent; returns what it left behind. */
async function killOnce({ agent, writing, phase, random }: Round): Promise<Standstill> {
  writing.betweenLives(phase.needsHour === true);
  {
    using watch = new Watch(agent.dataDir);
    agent.spawn();
    using _writing = phase.isQuiet === true ? null : writing.go();
    await hunt({ agent, phase, watch, random, lines: () => writing.wholeLines });
  }
  await agent.kill();
  return await lookAt(agent.dataDir, writing.wholeLines);
}

/** What holds after every kill, without looking at a single line. */
function assertConsistent(state: Standstill, linesWritten: number) {
  if (state.missing.length > 0) {
    throw new Error(`agent.db names files that are not there: ${state.missing.join(", ")}`);
  }
  const rows = state.files.reduce((sum, file) => sum + file.rows, 0);
  const retired = retiredRows(state);
  if (rows + retired !== state.lines || state.lines > linesWritten) {
    throw new Error(
      `${linesWritten} lines written, ${state.lines} read, ${rows} stored, ${retired} removed`,
    );
  }
}

/** Lets an agent live until all is durable, and looks for every line, and for what nobody knows. */
async function checkAll(scene: Scene, writing: KillWriting): Promise<string> {
  writing.finishAll();
  await scene.agent.start();
  await scene.durable(writing.wholeLines);
  writing.whileCaughtUp();
  const counts = await scene.assertAllStored();
  const left = await strays(scene.agent.dataDir);
  if (left.length > 0) throw new Error(`Left behind: ${left.join(", ")}`);
  await scene.mayRetire();
  writing.deleteOld();
  return counts;
}
