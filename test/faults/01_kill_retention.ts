/** kill -9 while retention works: files that agent.db says are out, and that still lie on the disk. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { eventually } from "../harness/eventually.ts";
import { readFolder, sizeOf } from "./data_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "01 kill -9 mid-retention", isQuick: true, run };

const HOUR_MS = 3_600_000;

/** So many chunks go at once that the moment between commit and deletion is long enough to hit. */
const HOURS = 12;

/** Lives of an agent in which the moment may be missed. */
const TRIES_MAX = 20;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const rounds = short ? 2 : 20;
  const keepAll = await Deno.readTextFile(scene.agent.config);
  let [hits, marked] = [0, 0];
  for (let tried = 0; hits < rounds; tried++) {
    if (tried - hits > TRIES_MAX) throw new Error(`The phase was hit ${hits} times only`);
    await Deno.writeTextFile(scene.agent.config, keepAll);
    await sealHours(scene, (count) => random.between(1, count));
    await Deno.writeTextFile(scene.agent.config, `${keepAll}retention: { age: 1h }\n`);
    const files = await killBetween(scene);
    if (files > 0) hits++;
    marked += files;
    await assertFinished(scene);
  }
  const counts = `${scene.numbers.count} lines read once, counted as removed; no file left behind`;
  return { caused: `${hits} kills with ${marked} files marked and on the disk`, counts };
}

/** Some lines in every hour, sealed. */
async function sealHours(scene: Scene, some: (count: number) => number) {
  const { agent } = scene;
  const log = scene.log("web");
  await agent.start();
  for (let hour = 0; hour < HOURS; hour++) log.append(some(50), PAST_MS + hour * HOUR_MS);
  await scene.fileDurable(log.path);
  await scene.sealed();
  await agent.stop();
}

/** Kills the agent when it has marked files; returns how many of them are there then. */
async function killBetween({ agent }: Scene): Promise<number> {
  agent.spawn();
  await eventually(async () => {
    for (let look = 0; look < 200; look++) {
      if (markedFiles(agent.dataDir).length > 0) return true;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return false;
  });
  agent.freeze();
  const there = markedFiles(agent.dataDir);
  await agent.kill();
  return there.length;
}

/** Files that agent.db says are out, and that are there. */
function markedFiles(dataDir: string): string[] {
  try {
    using database = new DatabaseSync(join(dataDir, "agent.db"), { readOnly: true });
    return database.prepare("SELECT path FROM removed WHERE on_disk = 1").all()
      .map(({ path }) => String(path))
      .filter((path) => sizeOf(join(dataDir, path)) !== null);
  } catch {
    return []; // an agent that starts recovers agent.db just now
  }
}

/** After the next life nothing is left of what was marked, and every line is accounted for. */
async function assertFinished({ agent, numbers }: Scene) {
  await agent.start();
  await eventually(() => {
    using database = new DatabaseSync(join(agent.dataDir, "agent.db"), { readOnly: true });
    const marked = database.prepare("SELECT count(*) AS n FROM removed WHERE on_disk = 1").get();
    const rest = database.prepare("SELECT count(*) AS n FROM files WHERE kind = 'chunk'").get();
    return marked?.n === 0 && rest?.n === 0;
  });
  await agent.stop();
  const { files, unnamed, missing } = await readFolder(agent.dataDir);
  if (unnamed.length + missing.length > 0) {
    throw new Error(`Left behind: ${unnamed.join()}; not there: ${missing.join()}`);
  }
  using database = new DatabaseSync(join(agent.dataDir, "agent.db"), { readOnly: true });
  const removed = Number(database.prepare("SELECT sum(rows) AS n FROM removed").get()?.n);
  const stored = files.reduce((sum, { rows }) => sum + rows, 0);
  if (removed + stored !== numbers.count) {
    throw new Error(`${numbers.count} lines written, ${stored} stored, ${removed} removed`);
  }
}
