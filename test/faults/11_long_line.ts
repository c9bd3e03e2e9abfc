/** A line of 100 MB: cut, flagged, its length kept; the file goes on, and memory stays small. */
import { join } from "node:path";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { readCommits } from "./data_folder.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";

export const scenario: Scenario = { name: "11 line of 100 MB", run };

const MEMORY_MAX = 400 * 2 ** 20;

async function run({ short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const megabytes = short ? 5 : 100;
  await scene.agent.start();
  log.append(100, PAST_MS);
  const text = log.lines(1, PAST_MS, "x".repeat(megabytes * 1_000_000));
  const half = text.length / 2;
  await Deno.writeTextFile(log.path, text.slice(0, half), { append: true });
  await scene.durable(scene.numbers.count - 1);
  await Deno.writeTextFile(log.path, text.slice(half), { append: true });
  log.append(100, PAST_MS);
  await scene.durable(scene.numbers.count);
  const memory = scene.agent.memoryPeakBytes();
  const counts = await scene.assertAllStored();
  const length = await longestReject(scene.agent.dataDir);
  if (length !== text.length) {
    throw new Error(`Its length is kept as ${length}, not ${text.length}`);
  }
  if (memory > MEMORY_MAX) throw new Error(`The agent took ${memory} bytes of memory`);
  return { caused: `1 line of ${megabytes} MB, peak ${Math.round(memory / 2 ** 20)} MiB`, counts };
}

async function longestReject(dataDir: string): Promise<number> {
  const { files } = await readCommits(dataDir);
  const rejects = files.filter(({ stream }) => stream === "rejects")
    .map(({ path }) => literal(join(dataDir, path)));
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT max(length) FROM read_parquet([${rejects.join(", ")}]) WHERE reason = 'too_long'`,
  );
  return Number(rows[0]?.[0]);
}
