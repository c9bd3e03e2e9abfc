/** Two hosts of one region, an orchestrator, and an archive behind a line that can fail. */
import { join } from "node:path";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { mountTmpfs } from "../faults/disk.ts";
import { Random } from "../faults/random.ts";
import { LogFile } from "../faults/writer.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { eventually } from "../harness/eventually.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { TestFleet } from "../harness/fleet.ts";
import { adminClient, makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { bucketObjects, folderObjects } from "./plain_archive.ts";
import type { ArchivedObjects } from "./plain_archive.ts";
import { HostLines } from "./model.ts";
import type { Erasure } from "./model.ts";

export const HOSTS = ["web-1", "web-2"] as const;
export const REGION = "eu";

/** A loaded machine takes a while for what a free one does at once. */
export const SETTLE_MS = 300_000;

/** Enough for data of a test and what queries spill; little enough to be filled at once. */
const DISK_OPTIONS = "size=96m";

/** What the histories' store is. */
export type StoreKind = "folder" | "ceph";

export interface Host {
  name: string;
  lines: HostLines;
  files: LogFile[];
  dataDir: string;
  isUp: boolean;
  /** Whether its counts began anew. */
  hasLostCounts: boolean;
  /** A copy of agent.db of an earlier time. */
  oldCopy: string | null;
}

export interface World extends AsyncDisposable {
  /** What happens. */
  random: Random;
  /** How it is looked at: how often that is depends on the machine. */
  looks: Random;
  fleet: TestFleet;
  hosts: Host[];
  erasures: Erasure[];
  /** Null: the store is a folder. */
  proxy: FaultProxy | null;
  archive: ArchivedObjects;
  /** The same as agents reach it. */
  openStore: () => Promise<ObjectStore>;
  /** Files that take all room on disks. */
  ballast: Map<string, string>;
  /** What was done, for who reads of a failure. */
  story: string[];
  /** What never holds, and was seen. */
  problems: string[];
}

/** Resolves when both hosts are online. */
export async function makeWorld(seed: number, kind: StoreKind): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const dataDir = (host: string) => folder.join("disks", host, "data");
  for (const host of HOSTS) await makeDisk(stack, folder.join("disks", host));
  const { yaml, ...store } = kind === "ceph"
    ? await cephArchive(stack, folder)
    : folderArchive(folder);
  const trust = 'trust_erase: [ "$KEY" ]';
  const agent = "seal_after: 500ms\ndrain_timeout: 15s\nscrub_every: 24h";
  const fleet = stack.use(
    await TestFleet.start({
      hosts: Object.fromEntries(HOSTS.map((host) => [host, REGION])),
      broker: "embedded",
      logs: "index: [ remote_addr ]",
      dataDir,
      more: `${agent}\n${trust}\narchive: ${yaml}`,
      orchestrator: `${trust}\narchives: [ ${yaml} ]`,
    }),
  );
  const owned = stack.move();
  return {
    ...{ random: new Random(seed), looks: new Random(seed), fleet, ...store },
    hosts: HOSTS.map((name) => hostOf(fleet, name, dataDir(name))),
    erasures: [],
    ballast: new Map(),
    story: [],
    problems: [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeDisk(stack: AsyncDisposableStack, folder: string) {
  await Deno.mkdir(folder, { recursive: true });
  if (Deno.uid() === 0) stack.use(await mountTmpfs(folder, DISK_OPTIONS));
}

function hostOf(fleet: TestFleet, name: string, dataDir: string): Host {
  const lines = new HostLines();
  const files = [
    new LogFile(fleet.logFile(name), lines),
    new LogFile(`${fleet.logFile(name)}-api`, lines, "json"),
  ];
  const none = { hasLostCounts: false, oldCopy: null };
  return { name, lines, files, dataDir, isUp: true, ...none };
}

function folderArchive(folder: TempFolder) {
  const path = folder.join("archive");
  const openStore = () => Promise.resolve(new FolderStore(path));
  return { yaml: `{ url: 'file:${path}' }`, proxy: null, archive: folderObjects(path), openStore };
}

async function cephArchive(stack: AsyncDisposableStack, folder: TempFolder) {
  const ceph = stack.use(await startCeph());
  const bucket = await makeBucket(ceph, folder);
  const proxy = stack.use(FaultProxy.start({ port: ceph.port }));
  const keys = `access_key_id: { file: ${bucket.keyFile} }, ` +
    `secret_access_key: { file: ${bucket.secretFile} }`;
  const yaml = `{ url: s3://${bucket.name}/logs, endpoint: '${proxy.endpoint}', ` +
    `path_style: true, credentials: { ${keys} } }`;
  const client = adminClient(ceph);
  stack.defer(() => client.destroy());
  const openStore = () => bucket.open({ endpoint: proxy.endpoint });
  return { yaml, proxy, archive: bucketObjects(client, bucket.name, "logs/"), openStore };
}

/** Starts the agent, that keeps what it has sealed or, as soon as it is archived, does not. */
export async function start({ fleet }: World, host: Host, retention = "") {
  const path = fleet.configFile(host.name);
  const text = (await Deno.readTextFile(path)).replace(/^retention:.*\n/m, "");
  await Deno.writeTextFile(path, retention === "" ? text : `retention: ${retention}\n${text}`);
  if (retention !== "") host.oldCopy = null; // it would not know of chunks that are gone
  fleet.startAgent(host.name);
  host.isUp = true;
}

export async function kill({ fleet }: World, host: Host) {
  await fleet.killAgent(host.name);
  host.isUp = false;
}

/** SIGTERM; returns what it said in its life. @throws when it ends with an error */
export async function stop({ fleet, ballast }: World, host: Host): Promise<string> {
  const program = fleet.agent(host.name);
  await program.waitForLine(/Agent .* reads/, SETTLE_MS); // before, the signal just ends it
  program.kill("SIGTERM");
  const { code, stderr } = await program.ended(SETTLE_MS);
  host.isUp = false;
  if (code !== 0 && !ballast.has(host.name)) {
    throw new Error(`${host.name} ended with ${code}: ${stderr.slice(-2_000)}`);
  }
  return stderr;
}

/** Ends every fault; all agents run, and are online. */
export async function heal(world: World) {
  const { fleet, hosts, proxy, ballast } = world;
  if (proxy !== null) proxy.rule = null;
  for (const path of ballast.values()) await Deno.remove(path);
  ballast.clear();
  for (const host of hosts) if (!host.isUp || await hasEnded(fleet, host)) await start(world, host);
  await fleet.online(hosts.length, SETTLE_MS);
}

/** Whether it ended by itself: on a full disk it may, and is started again as systemd would. */
async function hasEnded(fleet: TestFleet, { name }: Host): Promise<boolean> {
  return await fleet.agent(name).ended(0).then(() => true, () => false);
}

/** The folder above the data, which may be a disk of its own. */
export function diskOf({ dataDir }: Host): string {
  return join(dataDir, "..");
}

/** Resolves when the running agent has made durable all that a file holds. */
export async function untilDurable(
  { dataDir }: Host,
  path: string,
  read: (dataDir: string) => { offsets: Map<string, number>; paths: Map<string, string> } | null,
): Promise<void> {
  await eventually(() => {
    const commits = read(dataDir);
    const { size } = Deno.statSync(path);
    const ids = [...commits?.paths ?? []].filter(([, other]) => other === path).map(([id]) => id);
    return ids.some((id) => commits?.offsets.get(id) === size);
  }, SETTLE_MS);
}
