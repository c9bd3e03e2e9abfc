/** Too few file handles, and very many files: the agent degrades, says so, and reads them all. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenarios: Scenario[] = [
  { name: "26 file handles", needs: ["prlimit"], run: fewHandles },
  { name: "26 very many files", run: manyFiles },
];

/** Between what an idle agent has open, some 40, and what it would open. */
const HANDLES = 100;

async function fewHandles({ short }: Form): Promise<Outcome> {
  const limit = `--nofile=${HANDLES}:${HANDLES}`;
  await using scene = await Scene.make({ wrapper: ["prlimit", limit] });
  const count = short ? 300 : 2_000;
  writeFiles(scene, count);
  await scene.agent.start();
  await scene.durable(scene.numbers.count, WAIT_MS);
  const said = /too many open files|file handles/i.test(scene.agent.running.stderr);
  const counts = await scene.assertAllStored();
  if (!said) throw new Error(`It read ${count} files with ${HANDLES} handles and said nothing`);
  return { caused: `${count} files, ${HANDLES} handles`, counts };
}

async function manyFiles({ short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const count = short ? 500 : 10_000;
  const logs = writeFiles(scene, count);
  await scene.agent.start();
  await scene.durable(scene.numbers.count, WAIT_MS);
  for (const log of logs.filter((_, i) => i % 10 === 0)) log.append(1, PAST_MS);
  await scene.durable(scene.numbers.count, WAIT_MS);
  await scene.agent.kill();
  for (const log of logs.filter((_, i) => i % 10 === 5)) log.append(1, PAST_MS);
  const startedMs = performance.now();
  await scene.agent.start();
  await scene.durable(scene.numbers.count, WAIT_MS);
  const restartMs = Math.round(performance.now() - startedMs);
  const memory = Math.round(scene.agent.memoryPeakBytes() / 2 ** 20);
  const counts = await scene.assertAllStored();
  return {
    caused: `${count} files, all read ${restartMs} ms after a start, ${memory} MiB`,
    counts,
  };
}

const WAIT_MS = 240_000;

function writeFiles(scene: Scene, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const log = scene.log(`file-${i}`);
    log.append(2, PAST_MS);
    return log;
  });
}
