/** The power fails: what was not synced is gone, in the store and, when it is there, in the log. */
import { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { makeImage, mountImage } from "./disk.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import { LINE_NUMBER } from "./writer.ts";

export const scenarios: Scenario[] = [
  { name: "02 power cut", needs: ["root"], run: (form) => run(form, false) },
  { name: "02 power cut, logs too", needs: ["root"], run: (form) => run(form, true) },
];

const IMAGE_MEGABYTES = 96;
const HOUR_MS = 3_600_000;

/** A chain of cuts: each life of the host goes on with what the one before left on the disk. */
async function run({ random, short }: Form, areLogsOnDisk: boolean): Promise<Outcome> {
  await using folder = await TempFolder.make();
  const disk = folder.join("disk");
  const logs = areLogsOnDisk ? folder.join("disk", "logs") : folder.join("logs");
  const streams = `  - { name: logs, files: [ ${logs}/*.log* ] }`;
  const dataDir = folder.join("disk", "data");
  const agent = await AgentUnderTest.make({ folder, dataDir, streams });
  const scene = Scene.of({ folder, agent, logs });
  const log = scene.log("web");
  const cuts = short ? 2 : 12;
  let image = folder.join("image.0");
  await makeImage(image, IMAGE_MEGABYTES);
  for (let cut = 1; cut <= cuts; cut++) {
    const next = folder.join(`image.${cut}`);
    await using _disk = await mountImage(image, disk);
    await using _agent = agent; // which ends before the disk goes
    await Deno.mkdir(logs, { recursive: true });
    endLine(log.path);
    await agent.start();
    for (let i = random.between(5, 25); i > 0; i--) {
      log.append(random.between(1, 300), () => PAST_MS + cut * HOUR_MS);
      if (random.chance(0.3)) await sync(log.path); // else all of the log would be gone
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 120)));
    }
    agent.freeze(); // the image must not change while it is copied
    await Deno.copyFile(image, next);
    await Deno.remove(image);
    image = next;
  }
  await using _disk = await mountImage(image, disk);
  await using _agent = agent;
  endLine(log.path);
  const lines = numbersIn(log.path);
  await agent.start();
  await scene.allRead();
  await agent.stop();
  const counts = await scene.assertStored({ lines, maybe: scene.numbers.from() });
  return { caused: `${cuts} cuts`, counts: `${counts}, ${lines.length} on the disk` };
}

async function sync(path: string) {
  using file = await Deno.open(path);
  await file.sync();
}

/** Numbers of the whole lines of a file. */
function numbersIn(path: string): number[] {
  return [...textOf(path).matchAll(new RegExp(LINE_NUMBER, "g"))].map(([, number]) =>
    Number(number)
  );
}

/** A server that starts again ends the line that the cut left open. */
function endLine(path: string) {
  const text = textOf(path);
  if (text !== "" && !text.endsWith("\n")) Deno.writeTextFileSync(path, "\n", { append: true });
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
