/** A host whose hour is still being written: rows in memory, and many small parts on the disk. */
import { eventually } from "../../harness/eventually.ts";
import { PRODUCT_NICE, TestFleet } from "../../harness/fleet.ts";
import { combinedLine, manyLines } from "../../harness/lines.ts";
import { parquetFiles } from "../../unit/agent/store/scene.ts";
import { HttpAsker } from "./asker.ts";
import { Observer } from "../../harness/observer.ts";
import { ask, neverAsked, printRounds } from "./rounds.ts";

const HOST = "web-1";
const UNFLUSHED_LINES = 10_000;
const LINES_PER_PART = 1_000;
const OPS = "SELECT status, count(*) AS n FROM logs WHERE host = 'web-1' GROUP BY 1";

export async function benchParts(): Promise<void> {
  await using fleet = await TestFleet.start({
    hosts: { [HOST]: "eu-west-1" },
    broker: "embedded",
    nice: PRODUCT_NICE,
  });
  await flushEvery(fleet, "100ms");
  await using observer = await Observer.of(fleet.brokerUrl);
  const asker = await HttpAsker.of(fleet);
  let lines = 0;
  const write = async (count: number) => {
    const text = manyLines(combinedLine, lines, count);
    await Deno.writeTextFile(fleet.logFile(HOST), text, { append: true });
    lines += count;
  };
  for (const [parts, asked] of [[32, 60], [360, 200]] as const) {
    await flushEvery(fleet, "100ms");
    while (await partsOf(fleet) < parts) {
      const before = await partsOf(fleet);
      await write(LINES_PER_PART);
      await eventually(async () => await partsOf(fleet) > before);
    }
    await flushEvery(fleet, "1h");
    await write(UNFLUSHED_LINES);
    await eventually(async () => Number((await rowsOf(asker)).at(0)?.["n"]) === lines);
    const rounds = await ask({ asker, observer, sql: neverAsked(OPS) });
    printRounds(
      `${UNFLUSHED_LINES} rows in memory, ${await partsOf(fleet)} parts ` +
        `(asked: answer p50 ${asked}), ms`,
      rounds,
    );
  }
}

async function rowsOf(asker: HttpAsker): Promise<Record<string, unknown>[]> {
  return (await asker.ask("SELECT count(*) AS n FROM logs")).rows;
}

/** Starts the agent anew, with another time between two flushes. */
async function flushEvery(fleet: TestFleet, time: string) {
  const path = fleet.configFile(HOST);
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(/flush_every: .*/, `flush_every: ${time}`));
  await fleet.killAgent(HOST);
  fleet.startAgent(HOST);
  await fleet.agent(HOST).waitForLine(/Connected to the broker/);
  await fleet.online(1);
}

async function partsOf(fleet: TestFleet): Promise<number> {
  return (await parquetFiles(fleet.path(HOST, "data", "parts")).catch(() => [])).length;
}
