/** agent.db is empty, torn, of noise, has a flipped bit, or is an old copy: the store is whole, whether logs are there or gone. */
import { join } from "node:path";
import { Random } from "./random.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

const DAMAGES = ["gone", "empty", "torn", "noise", "bit flipped", "old copy"] as const;
type Damage = typeof DAMAGES[number];

const HOUR_MS = 3_600_000;

export const scenarios: Scenario[] = DAMAGES.flatMap((damage) => [
  { name: `16 agent.db ${damage}`, run: (form) => run(form, damage, true) },
  { name: `16 agent.db ${damage}, no logs`, run: (form) => run(form, damage, false) },
]);

async function run({ random }: Form, damage: Damage, areLogsThere: boolean): Promise<Outcome> {
  await using scene = await Scene.make();
  const { agent } = scene;
  const log = scene.log("web");
  const database = join(agent.dataDir, "agent.db");
  const oldCopy = scene.folder.join("old.db");
  await agent.start();
  for (let hour = 0; hour < 4; hour++) {
    log.append(random.between(100, 400), PAST_MS + hour * HOUR_MS);
    if (hour === 1) log.appendBroken(PAST_MS);
    if (hour % 2 === 1) log.rename();
    await scene.durable(scene.numbers.count);
    if (hour !== 1) continue;
    await agent.stop();
    await Deno.copyFile(database, oldCopy);
    await agent.start();
  }
  await scene.sealed();
  log.append(random.between(100, 400), PAST_MS + HOUR_MS); // late: these stay parts
  await scene.durable(scene.numbers.count);
  await agent.stop();
  await harm(database, damage, oldCopy, random);
  if (!areLogsThere) {
    for (const path of [log.path, ...log.rotated()]) await Deno.remove(path);
  }
  await agent.start();
  log.append(50, PAST_MS + 5 * HOUR_MS);
  const counts = await scene.assertAllStored();
  return { caused: `${damage}, logs ${areLogsThere ? "there" : "deleted"}`, counts };
}

async function harm(database: string, damage: Damage, oldCopy: string, random: Random) {
  const { size } = await Deno.stat(database);
  switch (damage) {
    case "gone":
      return await Deno.remove(database);
    case "empty":
      return await Deno.truncate(database, 0);
    case "torn":
      return await Deno.truncate(database, Math.floor(size / 2) + random.between(1, 500));
    case "noise":
      return await Deno.writeFile(database, random.bytes(size));
    case "bit flipped":
      return await flipBit(database, random);
    case "old copy":
      return await Deno.copyFile(oldCopy, database);
    default:
      return damage satisfies never;
  }
}

/** In the path of a chunk: SQLite itself would not notice. */
async function flipBit(database: string, random: Random) {
  const bytes = await Deno.readFile(database);
  const text = new TextDecoder("latin1").decode(bytes);
  const chunks = [...text.matchAll(/stream=logs/g)].map(({ index }) => index);
  const at = chunks[random.between(0, chunks.length - 1)];
  if (at === undefined) throw new Error("agent.db names no chunk");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await Deno.writeFile(database, bytes);
}
