/** An agent starts on a disk that is full to the last byte: it answers, and retention makes room. */
import { eventually } from "../harness/eventually.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { readLiveCommits } from "./data_folder.ts";
import { fillUp, mountTmpfs } from "./disk.ts";
import type { Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "15 start on a full disk", needs: ["root"], run };

const HOUR_MS = 3_600_000;

async function run(): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using disk = await mountTmpfs(folder.join("disk"), "size=8m");
  const dataDir = folder.join("disk", "data");
  await using agent = await AgentUnderTest.make({ folder, dataDir });
  const scene = Scene.of({ folder, agent, logs: folder.join("logs") });
  const log = scene.log("web");
  for (let hour = 0; hour < 3; hour++) log.append(500, PAST_MS + hour * HOUR_MS);
  await agent.start();
  await scene.durable(1_500);
  await scene.sealed();
  await agent.stop();
  await scene.mayRetire();
  fillUp(disk.folder);

  const more = "retention: { bytes: 1B }";
  await using retiring = await AgentUnderTest.make({ folder, dataDir, more });
  await retiring.start();
  const { answer, stderr } = await retiring.query("SELECT count(*) AS n FROM logs");
  if (answer === null) throw new Error(`No answer while the disk is full: ${stderr}`);
  await eventually(() => readLiveCommits(dataDir)?.files.length === 0);
  await retiring.stop();

  await Deno.remove(`${disk.folder}/ballast`);
  log.append(100, PAST_MS);
  await agent.start();
  const counts = await scene.assertAllStored();
  return { caused: "3 chunks removed while no byte was free", counts };
}
