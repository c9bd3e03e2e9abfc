/** Several rotations, the older files packed as .gz and .zst, while no agent runs: all read once. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Random } from "./random.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import type { LogFile } from "./writer.ts";

export const scenario: Scenario = { name: "07 rotated while down", run };

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const logs = [scene.log("web"), scene.log("shop")];
  const rounds = short ? 2 : 6;
  let packed = 0;
  for (let round = 0; round < rounds; round++) {
    await scene.agent.start();
    for (const log of logs) log.append(random.between(20, 300), PAST_MS);
    await scene.durable(scene.numbers.count);
    await scene.agent.kill();
    for (const log of logs) packed += rotateAndPack(log, random);
  }
  await scene.agent.start();
  const counts = await scene.assertAllStored();
  return { caused: `${rounds} times down, ${packed} files packed`, counts };
}

/** Adds to the file read so far, rotates thrice, packs the two oldest of the new files. */
function rotateAndPack(log: LogFile, random: Random): number {
  const rotated: string[] = [];
  for (let rotation = 0; rotation < 3; rotation++) {
    log.append(random.between(20, 300), PAST_MS);
    rotated.push(log.rename());
  }
  log.append(random.between(1, 20), PAST_MS);
  for (const [path, ending] of [[rotated[0], "gz"], [rotated[1], "zst"]]) {
    if (path === undefined) continue;
    const bytes = Deno.readFileSync(path);
    Deno.writeFileSync(
      `${path}.${ending}`,
      ending === "gz" ? gzipSync(bytes) : zstdCompressSync(bytes),
    );
    Deno.removeSync(path);
  }
  return 2;
}
