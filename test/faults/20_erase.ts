/** Erasing, interrupted by kill -9 again and again: in the end every other line is there once. */
import { openStore } from "../../agent/open_store.ts";
import { readAgentConfig } from "../../agent/config.ts";
import { erasedOf } from "../../protocol/chunk/chunk_id.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import { eventually } from "../harness/eventually.ts";
import { eraseSigner } from "../unit/agent/erase/scene.ts";
import { readLiveCommits } from "./data_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "20 erase interrupted", isQuick: true, run };

const HOUR_MS = 3_600_000;
const LINES_AN_HOUR = 200;

/** Which lines go. */
const isErased = (number: number) => number % 3 === 0;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const { agent } = scene;
  const hours = short ? 6 : 48;
  const log = scene.log("web");
  for (let hour = 0; hour < hours; hour++) log.append(LINES_AN_HOUR, PAST_MS + hour * HOUR_MS);
  await agent.start();
  await scene.durable(scene.numbers.count);
  await scene.sealed();
  await agent.stop();
  await tell(agent.config, hours);
  let kills = 0;
  for (; rewritten(agent.dataDir) < hours && kills < 4 * hours; kills++) {
    await agent.start();
    const before = rewritten(agent.dataDir);
    const some = Math.min(hours, before + random.between(1, short ? 3 : 12));
    await eventually(() => rewritten(agent.dataDir) >= some);
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 40)));
    await agent.kill();
  }
  await agent.start();
  await agent.stop();
  const left = scene.numbers.from().filter((number) => !isErased(number));
  await scene.assertStored({ lines: left });
  const erased = scene.numbers.count - left.length;
  const counted = sum(chunksOf(agent.dataDir).map((chunk) => erasedOf(chunk).rows));
  if (counted !== erased) throw new Error(`${erased} lines went, ids say ${counted}`);
  return {
    caused: `${kills} kills while ${hours} chunks were written anew`,
    counts: `${left.length} lines stored once, ${erased} erased`,
  };
}

/** As if the fleet had told the agent. */
async function tell(configPath: string, hours: number) {
  const { sign } = await eraseSigner();
  const erasure = await sign({
    where: "body_bytes_sent % 3 = 0",
    columns: [{ name: "body_bytes_sent", type: "BIGINT" }],
    since: new Date(PAST_MS).toISOString(),
    until: new Date(PAST_MS + hours * HOUR_MS).toISOString(),
  });
  const config = await readAgentConfig(configPath);
  await using store = await openStore(config, new AbortController().signal);
  if (!store.erasures.add(erasure)) throw new Error("it was known already");
}

function chunksOf(dataDir: string): string[] {
  const files = readLiveCommits(dataDir)?.files ?? [];
  return files.flatMap(({ path }) => parseChunkPath(path)?.chunk ?? []);
}

/** Chunks that are done. */
function rewritten(dataDir: string): number {
  return chunksOf(dataDir).filter((chunk) => erasedOf(chunk).rows > 0).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
