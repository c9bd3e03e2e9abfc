/** When all is well again: looks everywhere that the lines are those that were written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { eraseCommand } from "../../orchestrator/cli/archive_erase.ts";
import { restoreCommand } from "../../orchestrator/cli/archive_restore.ts";
import { verifyCommand } from "../../orchestrator/cli/archive.ts";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { CapturedTerminal } from "../harness/captured_terminal.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { eventually } from "../harness/eventually.ts";
import { assertFound, checkWhole, note, RANGE } from "./answers.ts";
import { addressOf, fateOf } from "./model.ts";
import { filesBelow, hashesBelow, readArchive } from "./plain_archive.ts";
import { heal, SETTLE_MS, start, stop } from "./world.ts";
import type { Host, World } from "./world.ts";

/** Ends all faults and waits until everything is where it belongs; then looks everywhere. */
export async function settle(world: World) {
  world.story.push("-- all is well again");
  await heal(world);
  for (const { files } of world.hosts) for (const file of files) file.finish();
  for (const erasure of world.erasures.filter(({ isSettled }) => !isSettled)) {
    await eventually(() => resume(world, erasure.id), SETTLE_MS);
  }
  await eventually(() => checkWhole(world, "auto", false), SETTLE_MS);
  for (const host of world.hosts) await drained(world, host);
  await checkArchive(world);
  await checkCommands(world);
  for (const erasure of world.erasures) erasure.isSettled = true;
  for (const { lines } of world.hosts) lines.settled = lines.written.length;
  const [first, ...others] = world.looks.shuffled(world.hosts);
  if (first === undefined) return;
  await start(world, first);
  await world.fleet.online(1, SETTLE_MS);
  await eventually(() => checkWhole(world, "auto"), SETTLE_MS); // it answers for the others
  for (const host of world.hosts) deleteRotated(world, host);
  for (const other of others) await start(world, other);
  await world.fleet.online(world.hosts.length, SETTLE_MS);
  await eventually(() => checkWhole(world, "auto"), SETTLE_MS);
  await eventually(() => checkWhole(world, "archive"), SETTLE_MS);
  await checkNeedle(world);
  await checkAccount(world);
  assert.deepEqual(world.problems, []);
}

/** All of them has been archived. */
function deleteRotated({ random, story }: World, { name, files }: Host) {
  if (random.chance(0.5)) return;
  for (const path of files.flatMap((file) => file.rotated())) Deno.removeSync(path);
  story.push(`${name} deletes what was rotated`);
}

/** Stops the agent when it has archived everything. */
async function drained(world: World, host: Host) {
  await eventually(async () => {
    if (!host.isUp) await start(world, host);
    const said = /Not everything is .*/.exec(await stop(world, host))?.[0];
    if (said !== undefined) throw new Error(`${host.name}: ${said}`);
    return true;
  }, SETTLE_MS);
}

/** The other engine, and the files themselves. */
async function checkArchive(world: World) {
  const { lines, chunks } = await readArchive(world.archive);
  for (const host of world.hosts) {
    const found = new Map<number, number>();
    for (const line of lines.filter((line) => line.host === host.name)) {
      const written = host.lines.written[line.number - 1];
      const { number, address, atMs } = line;
      if (address !== null && (written?.address !== address || written.atMs !== atMs)) {
        throw new Error(`${host.name} never wrote line ${number} of ${address} at ${atMs}`);
      }
      found.set(number, (found.get(number) ?? 0) + 1);
    }
    assertFound(world, host, { found, where: "the archive", isSealed: true });
    for (const [key, hash] of hashesBelow(host.dataDir)) {
      if (chunks.get(key) !== hash) throw new Error(`${host.name} has ${key}, the archive has not`);
    }
  }
}

/** One address, which the catalog knows. */
async function checkNeedle(world: World) {
  const address = addressOf(world.looks.between(1, 5));
  const sql = `SELECT host, count(*) AS n FROM logs WHERE remote_addr = '${address}' GROUP BY 1`;
  for (const source of ["archive", "auto"]) {
    const { answer } = await world.fleet.query(sql, ...RANGE, "--source", source);
    const counted = new Map(answer.rows.map(({ host, n }) => [host, n]));
    for (const { name, lines } of world.hosts) {
      const wanted = lines.written.filter((line) =>
        line.address === address && !line.isReject && fateOf(line, world.erasures) === "once"
      ).length;
      assert.equal(counted.get(name) ?? 0, wanted, `${address} of ${name}, source ${source}`);
    }
  }
}

/** Every line that was read was stored, rejected, or erased since. */
async function checkAccount({ fleet, hosts, erasures }: World) {
  const sql = "SELECT host, outcome, sum(lines)::INT AS n FROM accounting GROUP BY ALL";
  const { answer } = await fleet.query(sql, "--since", "all", "--source", "live");
  for (const { name, lines, hasLostCounts } of hosts) {
    if (hasLostCounts) continue;
    const rows = answer.rows.filter(({ host }) => host === name);
    const counts = Object.fromEntries(rows.map(({ outcome, n }) => [outcome, Number(n)]));
    const { stored = 0, rejected = 0, erased = 0, ...others } = counts;
    const total = stored + rejected + erased;
    assert.deepEqual({ total, others }, { total: lines.count, others: {} }, `account of ${name}`);
    const left = (isReject: boolean) =>
      lines.written.filter((line) =>
        line.isReject === isReject && fateOf(line, erasures) === "once"
      ).length;
    assert.equal(stored, left(false), `stored of ${name}`);
    assert.ok(rejected >= left(true), `rejected of ${name}: ${rejected} of ${left(true)}`);
  }
}

/** The operator's own commands over the store: every chunk is whole, and gives its lines back. */
async function checkCommands(world: World) {
  await using folder = await TempFolder.make();
  const terminal = new CapturedTerminal();
  const options = {
    ...{ config: world.fleet.path("orchestrator.yaml"), stream: "logs" },
    ...{ since: "all", output: "table" as const },
  };
  const verified = await verifyCommand({ ...options, content: true }, terminal);
  assert.equal(verified, 0, terminal.stdout + terminal.stderr);
  await restoreCommand({ ...options, out: folder.path }, terminal);
  for (const host of world.hosts) {
    const lines = await restoredLines(folder.join(host.name));
    const found = new Map([[host.name, new Map<number, number>()]]);
    for (const line of lines) note(world, found, { host: host.name, line, n: 1 });
    const numbers = found.get(host.name) ?? new Map();
    assertFound(world, host, { found: numbers, where: "restored", isSealed: true });
  }
}

async function restoredLines(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for (const path of filesBelow(folder)) {
    lines.push(...(await Deno.readTextFile(join(folder, path))).split("\n").slice(0, -1));
  }
  return lines;
}

/** Goes on with an erasure; true when it is done everywhere. */
async function resume({ fleet }: World, id: string): Promise<true> {
  const terminal = new CapturedTerminal();
  const options = {
    ...{ config: fleet.path("orchestrator.yaml"), stream: "logs", wait: "20s" },
    ...{ key: fleet.env.LOGVEND_KEY, resume: id },
  };
  const code = await eraseCommand({ options, client: new ApiClient(fleet.url), terminal });
  assert.equal(code, 0, terminal.stderr);
  return true;
}
