/** A file emptied and grown beyond the place that was read, unseen: it is read from 0. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import type { LogFile } from "./writer.ts";

export const scenario: Scenario = { name: "09 truncate and regrow", run };

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const rounds = short ? 3 : 15;
  await scene.agent.start();
  for (let round = 0; round < rounds; round++) {
    log.append(random.between(1, 100), PAST_MS);
    await scene.durable(scene.numbers.count);
    scene.agent.freeze();
    regrow(log, random.between(1, 100));
    scene.agent.thaw();
    await scene.durable(scene.numbers.count);
    await scene.agent.kill();
    regrow(log, random.between(1, 100));
    await scene.agent.start();
    await scene.durable(scene.numbers.count);
  }
  const counts = await scene.assertAllStored();
  return { caused: `${2 * rounds} truncations, half of them while down`, counts };
}

/** Empties the file, and writes until it is longer than before by some lines. */
function regrow(log: LogFile, lines: number) {
  const { size } = log;
  Deno.truncateSync(log.path, 0);
  while (log.size <= size) log.append(1, PAST_MS);
  log.append(lines, PAST_MS);
}
