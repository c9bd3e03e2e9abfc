/** A question over a day of six hosts in S3, by one agent and by two, each on a slow line of its own. */
import { createHash } from "node:crypto";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { startCeph } from "../../harness/ceph/cluster.ts";
import type { Ceph } from "../../harness/ceph/cluster.ts";
import { ensureCeph } from "../../harness/ceph/root.ts";
import { FaultProxy } from "../../harness/fault_proxy.ts";
import { PRODUCT_NICE, TestFleet } from "../../harness/fleet.ts";
import { makeBucket } from "../../harness/s3.ts";
import type { Bucket } from "../../harness/s3.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { quantile } from "../figures.ts";
import { chunkKey, DAY_MS, writeDay } from "./day.ts";

const LINES_PER_HOUR = 100_000;
const HOSTS = ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6"];
const AGENTS = ["reader-1", "reader-2"];
/** Of each agent. */
const LINE = { bytesPerSecond: 3e6, latencyMs: 20 };
const ROUNDS = 3;
const KILL_AFTER_MS = 2_000;

const SQL =
  "SELECT status, count(*) AS n, max(request_time) AS t, max(ts) AS l FROM logs GROUP BY 1";
const RANGE = ["--since", iso(0), "--until", iso(24), "--source", "archive", "--timeout", "5m"];

/** Prints its figures. */
export async function benchBatch(): Promise<void> {
  if (!await ensureCeph()) return console.log("batch left out: Ceph is not to be had here");
  await using folder = await TempFolder.make();
  await using ceph = await startCeph();
  const bucket = await makeBucket(ceph, folder);
  const files = await writeDay(folder, { linesPerHour: LINES_PER_HOUR });
  await using store = await bucket.open();
  await putAll(store, files);
  const hosts = Object.fromEntries(AGENTS.map((agent) => [agent, "eu"]));
  await using fleet = await TestFleet.start({ hosts, broker: "embedded", nice: PRODUCT_NICE });
  await using stack = new AsyncDisposableStack();
  for (const agent of AGENTS) {
    await configure(fleet, agent, bucket, stack.use(lineTo(ceph)).endpoint);
  }
  const rate = `${LINE.bytesPerSecond / 1e6} MB/s and ${LINE.latencyMs} ms for each agent`;
  console.log(`${24 * HOSTS.length} chunks of ${24 * HOSTS.length * LINES_PER_HOUR} rows, ${rate}`);
  const two = await medianMs(fleet, AGENTS);
  await restart(fleet, AGENTS);
  const [asked] = await Promise.all([ask(fleet), killSoon(fleet)]);
  console.log(`  two agents, one killed after ${KILL_AFTER_MS} ms: ${asked} ms, every row once`);
  const one = await medianMs(fleet, AGENTS.slice(0, 1));
  console.log(
    `  two agents ${two.toFixed(0)} ms, one ${one.toFixed(0)} ms: ${(one / two).toFixed(2)} x ` +
      "as fast (asked: 1.5)",
  );
}

function lineTo({ endpoint }: Ceph): FaultProxy {
  return FaultProxy.start({ port: Number(new URL(endpoint).port), ...LINE });
}

async function configure(fleet: TestFleet, agent: string, bucket: Bucket, endpoint: string) {
  const { url, region, path_style, credentials } = bucket.archive();
  const archive = { url, region, path_style, credentials, endpoint };
  const path = fleet.configFile(agent);
  const yaml = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, `${yaml}archive: ${JSON.stringify(archive)}\n`);
}

/** With an empty cache each time. */
async function medianMs(fleet: TestFleet, agents: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await restart(fleet, agents);
    times.push(await ask(fleet));
  }
  return quantile(times, 0.5);
}

async function restart(fleet: TestFleet, agents: readonly string[]) {
  for (const agent of AGENTS) {
    await fleet.killAgent(agent);
    const cache = fleet.path(agent, "data", "archive-cache");
    await Deno.remove(cache, { recursive: true }).catch(() => {}); // none before the first start
  }
  await fleet.online(0);
  for (const agent of agents) fleet.startAgent(agent);
  await fleet.online(agents.length);
}

/** How long it took. @throws when a row is missing, or there twice */
async function ask(fleet: TestFleet): Promise<number> {
  const { answer, code } = await fleet.query(SQL, ...RANGE);
  const rows = answer.rows.reduce((sum, { n }) => sum + Number(n), 0);
  if (code !== 0 || rows !== 24 * HOSTS.length * LINES_PER_HOUR) throw new Error(`${rows} rows`);
  return answer.elapsed_ms;
}

async function killSoon(fleet: TestFleet) {
  await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS));
  await fleet.killAgent(AGENTS[1] ?? "");
}

async function putAll(store: ObjectStore, files: readonly string[]) {
  const signal = new AbortController().signal;
  for (const [hour, path] of files.entries()) {
    const sha256 = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
    for (const host of HOSTS) {
      await store.put({ key: chunkKey(host, hour), body: { path }, sha256 }, signal);
    }
  }
}

function iso(hour: number): string {
  return new Date(DAY_MS + hour * 3_600_000).toISOString();
}
