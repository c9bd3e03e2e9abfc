/** Sinks that are down, slow to take, half broken; restarts; late rows: each has the truth in the end. */
import { AWS_KEYS } from "../harness/sinks/kinesis_server.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { startFarm } from "./sink_farm.ts";
import { WindowScene } from "./window_scene.ts";

export const scenario: Scenario = { name: "21 sinks out", isQuick: true, run };

const LATE_S = 1_800;

async function run({ random, short }: Form): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const sinks = await startFarm(folder, stack);
  await using scene = await WindowScene.make({ folder, sinks, random, env: AWS_KEYS });
  const [, ...others] = sinks;
  const troubles: string[] = [];
  await scene.agent.start();
  const rounds = short ? 3 : 25;
  let peakBytes = 0;
  for (let round = 0; round < rounds; round++) {
    for (const sink of others) {
      if (random.chance(0.3)) await sink.heal();
      else if (random.chance(0.6)) troubles.push(`${sink.name}: ${await sink.trouble(random)}`);
    }
    scene.write(random.between(100, 400), 2);
    scene.write(random.between(1, 30), LATE_S);
    await scene.counted(); // the first sink waits for none of the others
    peakBytes = Math.max(peakBytes, scene.agent.memoryPeakBytes());
    if (random.chance(0.5)) continue;
    if (random.chance(0.5)) await scene.agent.kill();
    else await scene.agent.stop();
    await scene.agent.start();
  }
  for (const sink of others) await sink.heal();
  await scene.agent.kill(); // and what waits for its next try comes at once
  await scene.agent.start();
  const counts = await scene.assertTruth();
  return {
    caused: `${rounds} rounds, ${troubles.length} troubles`,
    counts: `${counts}; ${Math.round(peakBytes / 1e6)} MB at most`,
    details: short ? [] : troubles,
  };
}
