/** One flipped bit in a chunk: always noticed, the chunk set aside and named, the others answer. */
import { join } from "node:path";
import { readCommits } from "./data_folder.ts";
import type { NamedFile } from "./data_folder.ts";
import type { AgentUnderTest } from "./agent_process.ts";
import type { Random } from "./random.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "17 corrupt chunk", run };

const HOUR_MS = 3_600_000;
const QUERY = "SELECT count(*) AS n, count(DISTINCT request) AS lines FROM logs";

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const { agent } = scene;
  const log = scene.log("web");
  const hours = short ? 5 : 24;
  await agent.start();
  for (let hour = 0; hour < hours; hour++) {
    log.append(random.between(100, 2_000), PAST_MS + hour * HOUR_MS);
  }
  await scene.durable(scene.numbers.count);
  await scene.sealed();
  await agent.stop();
  const chunks = random.shuffled((await readCommits(agent.dataDir)).files);
  const harmed = chunks.slice(0, Math.floor(hours * 0.6));
  const intact = chunks.slice(harmed.length);
  for (const chunk of harmed) await flipBit(join(agent.dataDir, chunk.path), random);
  const rows = intact.reduce((sum, chunk) => sum + chunk.rows, 0);
  await assertAnswer(agent, rows, harmed); // of the folder
  await agent.start();
  await assertAnswer(agent, rows, harmed); // of the running agent
  await agent.stop();
  return {
    caused: `1 bit flipped in ${harmed.length} of ${chunks.length} chunks`,
    counts: `${rows} rows of ${intact.length} chunks answered`,
  };
}

async function flipBit(path: string, random: Random) {
  const bytes = await Deno.readFile(path);
  const at = random.between(0, bytes.length - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  await Deno.writeFile(path, bytes);
}

async function assertAnswer(agent: AgentUnderTest, rows: number, harmed: readonly NamedFile[]) {
  const { answer, stderr, stdout } = await agent.query(QUERY);
  const found = answer?.rows[0];
  if (found === undefined) throw new Error(`No answer: ${stderr}`);
  if (Number(found.n) !== rows || Number(found.lines) !== rows) {
    throw new Error(`${rows} rows are intact, the answer has ${JSON.stringify(found)}`);
  }
  if (!/quarantin|corrupt|damaged/i.test(stderr + stdout)) {
    throw new Error(`${harmed.length} chunks are missing from an answer that does not say so`);
  }
}
