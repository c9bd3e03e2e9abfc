/** A writer that does not append goes on behind a hole of zeros: it is skipped, in no busy loop. */
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "05 zeros after truncation", run };

/** An idle agent takes a few per cent of a processor. */
const IDLE_CPU_SHARE_MAX = 0.4;
const IDLE_MS = 2_000;

async function run({ short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const lines = short ? 20_000 : 200_000;
  using file = Deno.openSync(log.path, { create: true, write: true });
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  };
  await scene.agent.start();
  let holeBytes = 0;
  for (let round = 0; round < 3; round++) {
    write(log.lines(lines, PAST_MS));
    await scene.durable(scene.numbers.count);
    holeBytes += Deno.statSync(log.path).size;
    Deno.truncateSync(log.path, 0);
    await new Promise((resolve) => setTimeout(resolve, round * 400)); // seen empty, or not
    write(log.lines(100, PAST_MS));
    await scene.durable(scene.numbers.count + round + 1); // each hole counts as a line
  }
  const cpuMs = scene.agent.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS)); // doing nothing is the point
  const share = (scene.agent.cpuMs() - cpuMs) / IDLE_MS;
  if (share > IDLE_CPU_SHARE_MAX) throw new Error(`With nothing to read, it takes ${share} CPUs`);
  const counts = await scene.assertAllStored(3);
  return { caused: `3 holes of ${holeBytes} bytes in all, idle CPU ${share.toFixed(2)}`, counts };
}
