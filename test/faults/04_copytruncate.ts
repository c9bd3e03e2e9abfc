/** Copy and truncate: nothing is read twice, and what is destroyed unread is a counted gap. */
import { readCommits, readLiveCommits } from "./data_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import { assertOnce, storedLines } from "./stored_lines.ts";

export const scenario: Scenario = { name: "04 copytruncate", isQuick: true, run };

/** Some 300 MB. */
const LINES_MAX = 3_000_000;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  await scene.agent.start();
  const truncations = short ? 3 : 10;
  for (let i = 0; i < truncations; i++) {
    log.append(random.between(50, 200), PAST_MS);
    await scene.durable(scene.numbers.count);
    log.copyTruncate();
    log.append(random.between(1, 20), PAST_MS);
    await scene.durable(scene.numbers.count);
  }
  const whole = scene.numbers.count;
  // A reader that lags: it has seen the size, and reads still when the file is emptied. Unlike
  // above, the copy lies where it does not look. Where the file is emptied late, it has read all.
  let afterwards = whole + 1;
  for (let count = short ? 150_000 : 400_000; commitsOf(scene).gapBytes === 0; count *= 2) {
    if (scene.numbers.count > LINES_MAX) throw new Error("The reader does not lag");
    const before = commitsOf(scene).files.reduce((sum, { rows }) => sum + rows, 0);
    log.append(count, PAST_MS);
    await scene.durable(before + 1);
    await Deno.truncate(log.path, 0);
    afterwards = scene.numbers.count + 1;
    log.append(100, PAST_MS);
    await scene.fileDurable(log.path);
  }
  const last = scene.numbers.count;
  const stored = await waitForLine(scene, last);
  const lines = [...scene.numbers.from().slice(0, whole), ...scene.numbers.from(afterwards)];
  assertOnce(stored, { lines, maybe: scene.numbers.from(whole + 1) });
  const lostBytes = scene.numbers.from().filter((number) => !stored.has(number))
    .reduce((sum, number) => sum + (scene.numbers.bytes[number] ?? 0), 0);
  const { gapBytes } = await readCommits(scene.agent.dataDir);
  if (gapBytes !== lostBytes) {
    throw new Error(`${lostBytes} bytes were destroyed unread, ${gapBytes} are counted as a gap`);
  }
  const counts = `${last} lines written, ${stored.size} stored once, ` +
    `${lostBytes} bytes destroyed and counted`;
  return { caused: `${truncations} truncations, 1 of a lagging reader's file`, counts };
}

function commitsOf({ agent }: Scene) {
  return readLiveCommits(agent.dataDir) ?? { files: [], gapBytes: 0 };
}

/** Stops the agent when the file was read to its end once more, and reads what is stored. */
async function waitForLine(scene: Scene, last: number) {
  await scene.fileDurable(scene.logPath("web.log"));
  await scene.agent.stop();
  const stored = await storedLines(scene.agent.dataDir);
  if (!stored.has(last)) throw new Error(`Line ${last}, written after the truncation, is missing`);
  return stored;
}
