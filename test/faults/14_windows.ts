/** Late rows while the clock jumps by hours and years: windows end up right, and no revision goes back. */
import { TempFolder } from "../harness/temp_folder.ts";
import { faketimeEnvironment, setClock } from "./faketime.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { startFarm } from "./sink_farm.ts";
import { WindowScene } from "./window_scene.ts";

export const scenario: Scenario = {
  name: "14 windows, clock jumps",
  needs: ["libfaketime"],
  run,
};

const CLOCKS = ["+2h", "+0", "-2h", "1970-01-01 00:10:00", "+2h", "-2h", "+0"];
const LATE_S = 600;

async function run({ random, short }: Form): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const clock = await folder.write("clock", "+0");
  const sinks = (await startFarm(folder, stack)).filter(({ name }) =>
    ["file", "search", "hook"].includes(name)
  );
  const env = faketimeEnvironment(clock);
  await using scene = await WindowScene.make({ folder, sinks, random, env });
  await scene.agent.start();
  scene.write(100, LATE_S);
  await scene.counted();
  const clocks = short ? CLOCKS.slice(0, 3) : [...CLOCKS, ...CLOCKS];
  for (const time of clocks) {
    await setClock(clock, time);
    scene.write(random.between(50, 200), 2);
    scene.write(random.between(10, 40), LATE_S);
    await scene.durable();
    if (random.chance(0.5)) continue;
    await scene.agent.kill();
    await scene.agent.start();
  }
  await setClock(clock, "+0");
  scene.write(1, 0);
  const counts = await scene.assertTruth();
  return { caused: `clocks ${clocks.join(", ")}`, counts };
}
