/**
 * A fleet of one host under load: the agent's memory, throughout, while it reads, flushes, seals and
 * answers; and how long it takes until a line that was written is in the answer of a query over HTTP.
 */
import { drawHit } from "../../orchestrator/generate/hits.ts";
import { formatLine } from "../../orchestrator/generate/lines.ts";
import { createRandom } from "../../orchestrator/generate/random.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { formatBytes } from "../../protocol/units.ts";
import { PRODUCT_NICE, TestFleet } from "../harness/fleet.ts";
import { ourProgram, startProgram } from "../harness/program.ts";
import { quantile, spread } from "./figures.ts";
import { HelperWatch, memoryOf } from "./process.ts";
import { HttpAsker } from "./query/asker.ts";

const HOST = "web-1";
const LINES_PER_SECOND = 20_000;
/** Of hours that are over: they are sealed while the load goes on. */
const PAST_LINES = 400_000;
const LOAD_MS = 60_000;
/** Lines whose way is timed. */
const PROBES = 100;
const SAMPLE_MS = 200;
/** Between two questions for a line: an impatient person's, and no flood that slows itself down. */
const ASK_AGAIN_MS = 50;
/** What they ask for: `--since 1m`. */
const ASKED_MS = 60_000;

export async function benchLoad(): Promise<void> {
  await using fleet = await TestFleet.start({
    hosts: { [HOST]: "eu-west-1" },
    broker: "embedded",
    nice: PRODUCT_NICE,
  });
  await useDefaults(fleet);
  const asker = await HttpAsker.of(fleet);
  await asker.ask("SELECT count(*) AS n FROM logs");
  const quiet = await probe(fleet, asker, { count: PROBES, everyMs: 100 });
  console.log(`written to seen by SQL, quiet host, ms: ${spread(quiet)}`);
  const agent = fleet.agent(HOST).pid;
  const samples: number[] = [];
  const sampling = setInterval(() => samples.push(memoryOf(agent)?.now ?? 0), SAMPLE_MS);
  using sealing = new HelperWatch(() => agent, "worker-seal");
  await using _load = startProgram({
    args: ourProgram(
      "orchestrator/main.ts",
      ...["generate", "--out", fleet.logFile(HOST), "--rate", String(LINES_PER_SECOND)],
      ...["--backlog", String(PAST_LINES), "--hours", "3"],
    ),
  });
  const loaded = await probe(fleet, asker, { count: PROBES, everyMs: LOAD_MS / PROBES });
  clearInterval(sampling);
  const peak = memoryOf(agent)?.peak ?? NaN;
  const p99 = quantile(loaded, 0.99).toFixed(0);
  console.log(`… at ${LINES_PER_SECOND} lines/s: ${spread(loaded)}  p99 ${p99} (asked: 1000)`);
  console.log(
    `agent's memory meanwhile: p50 ${formatBytes(quantile(samples, 0.5))}, highest ` +
      `${formatBytes(peak)} (asked: 250 MB); ${sealing.seen.size} seal processes beside it`,
  );
  const { rows } = await asker.ask("SELECT count(*) AS n FROM logs");
  console.log(`  rows in the end: ${rows[0]?.n}`);
}

/** The settings that an agent has unless told otherwise, but for hours that are over. */
async function useDefaults(fleet: TestFleet) {
  const path = fleet.configFile(HOST);
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace("flush_every: 500ms", "seal_after: 5s"));
  await fleet.killAgent(HOST);
  fleet.startAgent(HOST);
  await fleet.agent(HOST).waitForLine(/Connected to the broker/);
  await fleet.online(1);
}

/** Writes single lines beside the load, and asks for each until it is there. */
async function probe(
  fleet: TestFleet,
  asker: HttpAsker,
  { count, everyMs }: { count: number; everyMs: number },
): Promise<number[]> {
  const random = createRandom(1);
  const times: number[] = [];
  const file = fleet.path(HOST, "access.log.probes");
  for (let i = 0; i < count; i++) {
    const mark = crypto.randomUUID();
    const line = formatLine(drawHit(random), Date.now(), "combined")
      .replace(/"[A-Z]+ [^"]*"/, `"GET /${mark} HTTP/1.1"`);
    const startedMs = performance.now();
    await Deno.writeTextFile(file, `${line}\n`, { append: true });
    while (!await isSeen(asker, mark)) await pause(ASK_AGAIN_MS);
    times.push(performance.now() - startedMs);
    await pause(everyMs - (performance.now() - startedMs));
  }
  return times;
}

/** A host too busy to answer has not shown the line. */
async function isSeen(asker: HttpAsker, mark: string): Promise<boolean> {
  try {
    const sql = `SELECT count(*) AS n FROM logs WHERE request = '/${mark}'`;
    const { rows } = await asker.ask(sql, { sinceMs: Date.now() - ASKED_MS });
    return Number(rows[0]?.n) === 1;
  } catch (error) {
    if (error instanceof LogvendError) return false;
    throw error;
  }
}

async function pause(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
