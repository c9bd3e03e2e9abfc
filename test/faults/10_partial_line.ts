/** Lines written in halves, with kills between them: one event each, when it is complete. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "10 partial last line", isQuick: true, run };

/** Two bytes a letter: halves end within letters too. */
const FILLER = "ä".repeat(20);

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const logs = [scene.log("web"), scene.log("api", "json")];
  const kills = short ? 4 : 25;
  await scene.agent.start();
  for (let kill = 0; kill < kills; kill++) {
    for (const log of logs) {
      log.append(random.between(0, 5), PAST_MS, FILLER);
      log.begin(PAST_MS, random.fraction(), FILLER);
    }
    if (random.chance(0.5)) await scene.durable(scene.numbers.count - logs.length);
    else await new Promise((resolve) => setTimeout(resolve, random.between(0, 300)));
    await scene.agent.kill();
    if (random.chance(0.3)) { for (const log of logs) log.rename(); }
    await scene.agent.start();
  }
  for (const log of logs) log.finish();
  const counts = await scene.assertAllStored();
  return { caused: `${kills} kills within lines`, counts };
}
