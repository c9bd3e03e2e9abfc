/** Lines late and out of order: each is stored under its own hour, also after that was sealed. */
import { readCommits } from "./data_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "14 late, out of order", isQuick: true, run };

const HOUR_US = 3_600_000_000;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const hours = short ? 4 : 24;
  const anyTime = () => PAST_MS + random.between(0, hours * 3_600 - 1) * 1_000;
  await scene.agent.start();
  for (let round = 0; round < (short ? 3 : 10); round++) {
    log.append(random.between(50, 500), anyTime);
    await scene.durable(scene.numbers.count);
  }
  await scene.sealed();
  log.append(200, anyTime);
  const counts = await scene.assertAllStored();
  const { files } = await readCommits(scene.agent.dataDir);
  const strangers = files.filter(({ hour, tsMinUs, tsMaxUs }) => {
    const start = Date.parse(`${hour}:00:00Z`) * 1_000;
    return tsMinUs < start || tsMaxUs >= start + HOUR_US;
  });
  if (strangers.length > 0) {
    throw new Error(
      `${strangers.length} files hold other hours than theirs: ${strangers[0]?.path}`,
    );
  }
  const chunks = files.filter(({ kind }) => kind === "chunk").length;
  return {
    caused: `${hours} hours in any order, 200 lines late`,
    counts: `${counts}, ${chunks} chunks`,
  };
}
