/** The disk of the data folder is full: reading pauses, queries go on, all is well when space comes. */
import { DEFAULT_LIMITS } from "../../agent/store/limits.ts";
import { eventually } from "../harness/eventually.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { fillUp, makeReadOnly, makeWritable, mountTmpfs, remount } from "./disk.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenarios: Scenario[] = [
  { name: "15 disk full", needs: ["root"], run: (form) => run(form, FULL) },
  { name: "15 read-only folder", needs: ["root"], run: (form) => run(form, READ_ONLY) },
  { name: "26 no inode left", needs: ["root"], run: (form) => run(form, NO_INODE) },
];

/** A way to run out of something, and to get it back. */
interface Shortage {
  options: string;
  exhaust: (disk: string) => void | Promise<void>;
  relieve: (disk: string) => Promise<void>;
}

const FULL: Shortage = {
  options: "size=8m",
  exhaust: (disk) => void fillUp(disk),
  relieve: (disk) => Deno.remove(`${disk}/ballast`),
};

const NO_INODE: Shortage = {
  options: "size=64m,nr_inodes=400",
  exhaust: (disk) => {
    try {
      for (let i = 0;; i++) Deno.writeFileSync(`${disk}/inode.${i}`, new Uint8Array());
    } catch {
      return; // none is left
    }
  },
  relieve: (disk) => remount(disk, "nr_inodes=4000"),
};

/** Nothing new can be written into the folders of parts. */
const READ_ONLY: Shortage = {
  options: "size=64m",
  exhaust: (disk) => makeReadOnly(`${disk}/data/parts`),
  relieve: (disk) => makeWritable(`${disk}/data/parts`),
};

async function run({ short }: Form, { options, exhaust, relieve }: Shortage): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using disk = await mountTmpfs(folder.join("disk"), options);
  await using agent = await AgentUnderTest.make({ folder, dataDir: folder.join("disk", "data") });
  const scene = Scene.of({ folder, agent, logs: folder.join("logs") });
  const log = scene.log("web");
  await agent.start();
  log.append(1_000, PAST_MS);
  await scene.durable(1_000);
  await exhaust(disk.folder);
  const lines = short ? 120_000 : 300_000; // more than memory takes
  for (let i = 0; i < 10; i++) log.append(lines / 10, PAST_MS);
  await agent.running.waitForLine(/Cannot write|no space|disk is full/i);
  await eventually(async () => await countOf(agent) >= DEFAULT_LIMITS.rowsMax); // with those in memory
  const behind = scene.numbers.count - await countOf(agent);
  if (behind <= 0) throw new Error("Reading did not pause: memory grows");
  const memory = agent.memoryPeakBytes();
  await relieve(disk.folder);
  const counts = await scene.assertAllStored();
  const caused = `nothing written while ${behind} lines waited in files, ` +
    `peak ${Math.round(memory / 2 ** 20)} MiB`;
  return { caused, counts };
}

/** Rows that a query sees. @throws when it does not answer */
async function countOf(agent: AgentUnderTest): Promise<number> {
  const { answer, stderr } = await agent.query("SELECT count(*) AS n FROM logs");
  if (answer === null) throw new Error(`No answer while the disk is full: ${stderr}`);
  return Number(answer.rows[0]?.n);
}
