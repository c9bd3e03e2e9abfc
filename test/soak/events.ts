/** What happens in a history: what hosts write, what fails, what operators ask for. */
import { gzipSync } from "node:zlib";
import { basename } from "node:path";
import { readLiveCommits } from "../faults/data_folder.ts";
import { fillUp } from "../faults/disk.ts";
import { eventually } from "../harness/eventually.ts";
import type { Fault } from "../harness/fault_proxy.ts";
import { harmDatabase } from "./harm_database.ts";
import { checkInTheMidst } from "./answers.ts";
import type { Source } from "./answers.ts";
import { EVERY_MS, FIRST_MS, HOURS } from "./model.ts";
import { erases, makesManifests, orchestratorKilled, removesManifests } from "./operations.ts";
import { diskOf, kill, SETTLE_MS, start, stop, untilDurable } from "./world.ts";
import type { Host, World } from "./world.ts";

/** Smaller files are known by their inode alone: a copy of one is another file. */
const COPIED_BYTES_MIN = 2_048;

interface Event {
  name: string;
  /** How often beside the others. */
  weight: number;
  /** @returns what it was exactly; null: it was not possible */
  run(world: World, host: Host): string | null | Promise<string | null>;
}

/** Does one thing at random, with a question in its midst at times. */
export async function happen(world: World): Promise<void> {
  const { random, story } = world;
  const at = random.fraction() * EVENTS.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  const event = EVENTS.find(({ weight }) => (sum += weight) > at) ?? WRITE;
  const host = random.pick(world.hosts);
  const source: Source = random.chance(0.5) ? "auto" : "archive";
  const asked = random.chance(0.4) ? checkInTheMidst(world, source) : Promise.resolve();
  asked.catch(() => {}); // seen below
  const what = await event.run(world, host);
  if (what !== null) story.push(`${host.name} ${event.name} ${what}`.trimEnd());
  write(world, random.pick(world.hosts));
  await asked;
}

/** Lines of an hour, mostly one of the latest; some are late, some no lines of a log. */
export function write({ random, story }: World, host: Host): string {
  const file = random.pick(host.files);
  const count = random.between(1, 60);
  const hour = random.chance(0.7) ? random.between(HOURS - 3, HOURS) : random.between(0, HOURS);
  const hourMs = FIRST_MS + hour * EVERY_MS;
  const atMs = () => hourMs + random.between(0, 3_599) * 1_000;
  file.append(count, random.chance(0.3) ? atMs() : atMs);
  if (random.chance(0.2)) file.appendBroken(hourMs);
  if (random.chance(0.2)) file.begin(atMs(), random.fraction());
  story.push(`${host.name} writes to line ${host.lines.count} (${basename(file.path)})`);
  return "";
}

const WRITE: Event = {
  name: "writes",
  weight: 8,
  run: (world, host) => (write(world, host), null),
};

const EVENTS: readonly Event[] = [
  WRITE,
  { name: "renames", weight: 4, run: rename },
  { name: "copies and truncates", weight: 2, run: copyTruncate },
  { name: "packs", weight: 3, run: pack },
  { name: "is killed", weight: 5, run: killed },
  { name: "is restarted", weight: 4, run: restarted },
  { name: "starts with retention", weight: 2, run: retires },
  { name: "has a full disk", weight: 2, run: fillDisk },
  { name: "lost agent.db:", weight: 3, run: losesDatabase },
  { name: "lost its data folder", weight: 2, run: losesFolder },
  { name: "meets a store that fails:", weight: 6, run: storeFails },
  { name: "erases", weight: 2, run: erases },
  { name: "is killed while it uploads", weight: 3, run: killedUploading },
  { name: "makes manifests:", weight: 2, run: makesManifests },
  { name: "'s operator removes manifests", weight: 1, run: removesManifests },
  { name: "'s orchestrator is killed", weight: 2, run: orchestratorKilled },
];

function rename({ random }: World, { files }: Host): string | null {
  const file = random.pick(files);
  return file.size === 0 ? null : basename(file.rename());
}

/** Only where all was read: what is destroyed unread is a gap, and no line. */
async function copyTruncate({ random, ballast }: World, host: Host): Promise<string | null> {
  const file = random.pick(host.files);
  if (!host.isUp || ballast.has(host.name) || file.size < COPIED_BYTES_MIN) return null;
  file.finish();
  await untilDurable(host, file.path, readLiveCommits);
  return basename(file.copyTruncate());
}

function pack({ random }: World, { files }: Host): string | null {
  const plain = files.flatMap((file) => file.rotated()).filter((path) => /\.\d+$/.test(path));
  if (plain.length === 0) return null;
  const path = random.pick(plain);
  Deno.writeFileSync(`${path}.gz`, gzipSync(Deno.readFileSync(path)));
  Deno.removeSync(path);
  return basename(path);
}

async function killed(world: World, host: Host): Promise<string | null> {
  if (!host.isUp) return (await start(world, host), "while it was down, and starts");
  await kill(world, host);
  if (world.random.chance(0.5)) return "";
  await start(world, host);
  return "and starts";
}

/** It drains, and the store says nothing. */
async function killedUploading(world: World, host: Host): Promise<string | null> {
  const { random, fleet, proxy, ballast } = world;
  if (proxy === null || !host.isUp || ballast.has(host.name)) return null;
  const program = fleet.agent(host.name);
  await program.waitForLine(/Agent .* reads/, SETTLE_MS);
  const before = proxy.count(/^PUT/);
  const fault: Fault = random.pick([{ kind: "silence" }, { kind: "lost_reply" }]);
  proxy.rule = { fault, only: /^PUT/ };
  program.kill("SIGTERM");
  const ended = program.ended(SETTLE_MS); // where there is nothing to upload
  const isUploading = () => eventually(() => proxy.count(/^PUT/) > before, SETTLE_MS);
  await Promise.race([ended, isUploading().catch(() => {})]);
  await kill(world, host);
  proxy.rule = null;
  return fault.kind;
}

async function restarted(world: World, host: Host): Promise<string | null> {
  if (host.isUp) await stop(world, host);
  await start(world, host);
  return "";
}

/** What is archived leaves the disk as soon as it is sealed. */
async function retires(world: World, host: Host): Promise<string | null> {
  if (host.isUp) await stop(world, host);
  await start(world, host, "{ bytes: 1B }");
  return "";
}

function fillDisk({ ballast }: World, host: Host): string | null {
  if (Deno.uid() !== 0 || ballast.has(host.name)) return null;
  ballast.set(host.name, fillUp(diskOf(host)));
  return "";
}

async function losesDatabase(world: World, host: Host): Promise<string | null> {
  if (world.ballast.has(host.name)) return null;
  if (host.isUp) await (world.random.chance(0.5) ? kill(world, host) : stop(world, host));
  const what = await harmDatabase(host, world.random);
  host.hasLostCounts = true;
  await start(world, host);
  return what;
}

/** Its log files are there: what the archive has of them is not read again. */
async function losesFolder(world: World, host: Host): Promise<string | null> {
  if (world.ballast.has(host.name)) return null;
  if (host.isUp) await (world.random.chance(0.5) ? kill(world, host) : stop(world, host));
  await Deno.remove(host.dataDir, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it did not come so far
  });
  host.hasLostCounts = true;
  host.oldCopy = null;
  // What was erased is in the log files still: it is read again, and erased again.
  for (const erasure of world.erasures) erasure.isSettled = false;
  await start(world, host);
  return "";
}

const FAULTS: readonly Fault[] = [
  { kind: "busy" },
  { kind: "denied" },
  { kind: "lost_reply" },
  { kind: "truncated", afterBytes: 700 },
  { kind: "reset", afterBytes: 1_500 },
  { kind: "altered" },
];

/** Until all is well again, or for some requests. */
function storeFails({ random, proxy }: World): string | null {
  if (proxy === null) return null;
  const fault = random.pick(FAULTS);
  const only = random.pick([/^PUT/, /^GET/, /./]);
  const times = random.chance(0.3) ? undefined : random.between(1, 12);
  proxy.rule = { fault, only, ...times === undefined ? {} : { times } };
  return `${fault.kind} ${only} ${times ?? "from now on"}`;
}
