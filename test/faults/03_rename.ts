/** Rename and create: the old file's tail, written after its renaming, is read, and first. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "03 rename rotation", isQuick: true, run };

/** Files that the rotation keeps: lines of an older one must have been read by then. */
const KEEP = 8;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const [rotations, kills] = short ? [12, 1] : [60, 6];
  await scene.agent.start();
  for (let rotation = 0; rotation < rotations; rotation++) {
    log.append(random.between(1, 200), PAST_MS);
    const old = await Deno.open(log.path, { append: true }); // as a server that is not told yet
    log.shift(KEEP);
    await old.write(new TextEncoder().encode(log.lines(random.between(1, 20), PAST_MS)));
    old.close();
    log.append(random.between(1, 20), PAST_MS);
    if (rotation % KEEP === KEEP - 1) await scene.durable(scene.numbers.count);
    if (rotation % Math.ceil(rotations / (kills + 1)) === 5) {
      await scene.agent.kill();
      await scene.agent.start();
    }
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 150)));
  }
  const counts = await scene.assertAllStored();
  return { caused: `${rotations} rotations, ${kills} kills`, counts };
}
