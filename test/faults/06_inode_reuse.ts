/** A file deleted and made again gets its predecessor's inode: it is another file, read from 0. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import type { LogFile } from "./writer.ts";

export const scenario: Scenario = { name: "06 inode reuse", run };

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const rounds = short ? 4 : 20;
  let reused = 0;
  for (let round = 0; round < rounds; round++) {
    await scene.agent.start();
    log.append(random.between(1, 40), PAST_MS);
    await scene.durable(scene.numbers.count);
    if (random.chance(0.5)) reused += replaced(log, random.between(1, 80)); // while it runs
    await scene.durable(scene.numbers.count);
    if (random.chance(0.5)) await scene.agent.kill();
    else await scene.agent.stop();
    reused += replaced(log, random.between(1, 80)); // while it does not
  }
  await scene.agent.start();
  const counts = await scene.assertAllStored();
  if (reused === 0) throw new Error("This file system gave no inode again: nothing was tried");
  return { caused: `${reused} inodes reused in ${rounds} rounds`, counts };
}

/** Deletes the file and makes it again with other lines; 1 when it has the same inode. */
function replaced(log: LogFile, lines: number): number {
  const { ino } = Deno.statSync(log.path);
  Deno.removeSync(log.path);
  log.append(lines, PAST_MS);
  return Deno.statSync(log.path).ino === ino ? 1 : 0;
}
