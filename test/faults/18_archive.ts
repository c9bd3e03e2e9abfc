/** The archive: kill -9 while uploading, a clock that is hours off, a full disk under a backlog. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { readObject } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { archivedLines, makeHost, writtenLines } from "../archive/scene.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { eventually } from "../harness/eventually.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import type { Fault } from "../harness/fault_proxy.ts";
import { makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { batch, HOUR_MS, START_MS } from "../unit/agent/store/scene.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { fillUp, mountTmpfs } from "./disk.ts";
import { faketimeEnvironment, setClock } from "./faketime.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import { assertOnce, linesOf } from "./stored_lines.ts";

export const scenarios: Scenario[] = [
  { name: "19 kill while uploading", needs: ["ceph"], isQuick: true, run: kills },
  { name: "18 archive, clock off", needs: ["ceph", "libfaketime"], run: clockOff },
  { name: "18 archive, disk full", needs: ["root"], run: diskFull },
];

const { signal } = new AbortController();

/** What the line does at the moment of the kill. */
const FAULTS: readonly Fault[] = [
  { kind: "silence" },
  { kind: "lost_reply" },
  { kind: "reset", afterBytes: 3_000 },
];

const LINES = 2_000;

async function kills({ random, short }: Form): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using ceph = await startCeph();
  await using proxy = FaultProxy.start({ port: ceph.port });
  const bucket = await makeBucket(ceph, folder);
  await using agent = await makeAgent(folder, bucket, proxy.endpoint);
  const scene = Scene.of({ folder, agent, logs: folder.join("logs") });
  const log = scene.log("web");
  const rounds = short ? 3 : 12;
  for (let i = 0; i < rounds; i++) {
    await agent.start();
    log.append(LINES, PAST_MS + i * HOUR_MS);
    await scene.durable(scene.numbers.count);
    const seen = proxy.count(/^PUT/);
    proxy.rule = { fault: FAULTS[i % FAULTS.length] ?? { kind: "silence" }, only: /^PUT/ };
    agent.running.kill("SIGTERM"); // drains: seals and uploads
    await eventually(() => proxy.count(/^PUT/) > seen);
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 30)));
    await agent.kill();
    proxy.rule = null;
  }
  await agent.start();
  const said = await agent.stop();
  await using objects = await bucket.open();
  const counts = await assertArchived(objects, scene);
  const keys = await Array.fromAsync(objects.list("stream=logs/", signal));
  const hours = new Set(keys.map(({ key }) => key.slice(0, key.lastIndexOf("/"))));
  if (hours.size !== keys.length) throw new Error(`${keys.length} objects for ${hours.size} hours`);
  if (!said.includes("Archived")) throw new Error(`nothing was left to archive: ${said}`);
  return { caused: `${rounds} kills in the middle of PUT`, counts };
}

async function clockOff({ random }: Form): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using ceph = await startCeph();
  const bucket = await makeBucket(ceph, folder);
  const clocks = ["+2h", "-2h"];
  const file = folder.join("clock");
  await Deno.writeTextFile(file, "+0");
  await using agent = await makeAgent(folder, bucket, ceph.endpoint, faketimeEnvironment(file));
  const scene = Scene.of({ folder, agent, logs: folder.join("logs") });
  const log = scene.log("web");
  for (const [i, clock] of clocks.entries()) {
    await setClock(file, clock);
    await agent.start();
    log.append(random.between(10, 100), PAST_MS + i * HOUR_MS);
    await scene.durable(scene.numbers.count);
    await agent.stop();
  }
  await using objects = await bucket.open();
  return { caused: `clocks ${clocks.join(", ")}`, counts: await assertArchived(objects, scene) };
}

async function diskFull(): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using disk = await mountTmpfs(folder.join("disk"), "size=8m");
  await mkdir(folder.join("disk/home"), { recursive: true });
  const home = { path: folder.join("disk/home") } as TempFolder; // its folder goes with the disk
  await using host = await makeHost(home);
  await host.seal(40);
  const ballast = fillUp(disk.folder);
  await host.store.append(batch(host.lines, 3, () => START_MS + 100 * HOUR_MS));
  const failure = await host.store.flush().then(() => null, (error) => error);
  if (failure === null) throw new Error("The disk was not full");
  await using objects = new FolderStore(folder.join("archive"));
  const archive = host.archive(objects);
  await archive.uploadAll(signal);
  if (archive.condition().backlog.chunks > 0) throw new Error("Chunks wait that were uploaded");
  const confirm = (ids: readonly string[]) => archive.confirm(ids, signal);
  await host.store.keeper.retire({ ageMs: 0, confirm });
  const left = host.store.totals().files.find(({ kind }) => kind === "chunk");
  if (left !== undefined) throw new Error(`${left.count} chunks stay that are archived`);
  await Deno.remove(ballast); // what retention has freed of so small chunks is the reserve's
  await host.store.flush();
  await host.store.sealAll();
  await archive.uploadAll(signal);
  const [found, wanted] = [await archivedLines(objects), writtenLines(host.lines + 3)];
  if (found.join() !== wanted.join()) throw new Error(`archived ${found.length} lines`);
  return { caused: "no room for a flush, 40 chunks to upload", counts: `${found.length} lines` };
}

function makeAgent(
  folder: TempFolder,
  bucket: Bucket,
  endpoint: string,
  env: Record<string, string> = {},
): Promise<AgentUnderTest> {
  const more = [
    "drain_timeout: 10m",
    "archive:",
    `  url: s3://${bucket.name}/logs`,
    `  endpoint: ${endpoint}`,
    "  path_style: true",
    "  credentials:",
    `    access_key_id: { file: ${bucket.keyFile} }`,
    `    secret_access_key: { file: ${bucket.secretFile} }`,
  ];
  return AgentUnderTest.make({ folder, more: more.join("\n"), sealAfter: "1h", env });
}

/** Every line that was written is in the archive once. @throws otherwise */
async function assertArchived(objects: ObjectStore, scene: Scene): Promise<string> {
  await using folder = await TempFolder.make();
  const files: { stream: string; path: string }[] = [];
  for await (const { key } of objects.list("stream=logs/", signal)) {
    await folder.write(key, await readObject(objects, key, {}, signal));
    files.push({ stream: "logs", path: key });
  }
  const lines = scene.numbers.from();
  assertOnce(await linesOf(join(folder.path), files), { lines });
  return `${lines.length} lines in ${files.length} objects, once each`;
}
