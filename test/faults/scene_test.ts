/** What scenes expect of the store, where a wrong expectation would look like a loss. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { readCommits, readLiveCommits, retiredRows } from "./data_folder.ts";
import { PAST_MS, Scene } from "./scene.ts";

const LINES = 82;

Deno.test("an hour whose sealing was begun may be sealed and retired by the next agent", async () => {
  await using scene = await Scene.make();
  const { agent, folder } = scene;
  const more = "retention: { bytes: 1B }";
  await using retiring = await AgentUnderTest.make({ folder, sealAfter: "1h", more });
  scene.log("web").append(LINES, PAST_MS);
  const obstacle = join(agent.dataDir, "stream=logs"); // where the folder of chunks would be
  await Deno.mkdir(agent.dataDir);
  await Deno.writeTextFile(obstacle, "");
  await agent.start();
  await agent.running.waitForLine(/Cannot seal/);
  await agent.stop();
  assert.equal((await readCommits(agent.dataDir)).sealings.length, 1);
  await scene.mayRetire();
  await Deno.remove(obstacle);
  await retiring.start();
  await eventually(() => {
    const commits = readLiveCommits(agent.dataDir);
    assert(commits !== null);
    assert.equal(retiredRows(commits), LINES);
    return true;
  });
  await retiring.stop();
  await agent.start();
  assert.match(await scene.assertAllStored(), /^83 lines written, 1 stored once, 82 removed/);
});
