/** The wall clock is hours wrong, jumps, and starts in 1970: nothing is lost or written over. */
import { faketimeEnvironment, setClock } from "./faketime.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = {
  name: "13 clock",
  needs: ["libfaketime"],
  isQuick: true,
  run,
};

const CLOCKS = ["+0", "+2h", "-2h", "1970-01-01 00:10:00", "+0", "-2h", "+2h", "+0"];
const HOUR_MS = 3_600_000;

async function run({ random, short }: Form): Promise<Outcome> {
  const clock = await Deno.makeTempFile({ prefix: "logvend-test-" });
  await Deno.writeTextFile(clock, "+0");
  await using scene = await Scene.make({ env: faketimeEnvironment(clock) });
  const log = scene.log("web");
  await scene.agent.start();
  const clocks = short ? CLOCKS.slice(0, 5) : CLOCKS;
  for (const [i, time] of clocks.entries()) {
    await setClock(clock, time);
    log.append(random.between(10, 100), PAST_MS + i * HOUR_MS);
    log.append(random.between(10, 100), () => Date.now() - random.between(0, 4) * HOUR_MS);
    await scene.durable(scene.numbers.count);
    if (i % 3 !== 2) continue;
    await scene.agent.kill();
    log.rename();
    await scene.agent.start();
  }
  const counts = await scene.assertAllStored();
  await Deno.remove(clock);
  return { caused: `clocks ${clocks.join(", ")}`, counts };
}
