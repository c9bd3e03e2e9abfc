/** Files that begin with the same bytes, and files of a line or two: each is told apart. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "08 identical starts, tiny", isQuick: true, run };

/** Longer than the start by which a file is known. */
const HEADER_LINES = 40;
const HEADER = "# a header that every file begins with, and that is no log line\n";

/** Files of the same bytes, and too few of them to be known by their start. */
const TWINS = ["twin-a.log", "twin-b.log", "twin-c.log"];

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const count = short ? 10 : 60;
  const logs = Array.from({ length: count }, (_, i) => scene.log(`file-${i}`));
  const withHeader = logs.slice(0, count / 2);
  for (const { path } of withHeader) await Deno.writeTextFile(path, HEADER.repeat(HEADER_LINES));
  for (const twin of TWINS) await Deno.writeTextFile(scene.logPath(twin), "the same\n");
  const headerLines = withHeader.length * HEADER_LINES + TWINS.length;
  await scene.agent.start();
  for (let round = 0; round < 4; round++) {
    for (const log of logs) log.append(random.between(1, 2), PAST_MS);
    await scene.durable(scene.numbers.count + headerLines);
    await scene.agent.kill();
    for (const log of random.shuffled(logs).slice(0, count / 4)) log.rename();
    await scene.agent.start();
  }
  const counts = await scene.assertAllStored(headerLines);
  return { caused: `${withHeader.length} files with one header, ${count} in all, 4 kills`, counts };
}
