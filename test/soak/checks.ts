/** Compares what queries and the archive say with what was written. */
import assert from "node:assert/strict";
import { eraseCommand } from "../../orchestrator/cli/archive_erase.ts";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { LINE_NUMBER } from "../faults/writer.ts";
import { CapturedTerminal } from "../harness/captured_terminal.ts";
import { eventually } from "../harness/eventually.ts";
import { addressOf, fateNow, fateOf, FIRST_MS, LAST_MS, problemsOf } from "./model.ts";
import type { Found, Line } from "./model.ts";
import { hashesBelow, readArchive } from "./plain_archive.ts";
import { heal, SETTLE_MS, start, stop } from "./world.ts";
import type { Host, World } from "./world.ts";

export type Source = "auto" | "archive";

const NUMBER = new RegExp(LINE_NUMBER.replace('[ "?]', "(?!\\d)"));

/** Of all lines. It is over: a host that is away lacks nothing of it. */
const RANGE = [
  ...["--since", new Date(FIRST_MS).toISOString()],
  ...["--until", new Date(LAST_MS).toISOString()],
];

/** Where what has been seen of each host is kept: by number, how often. */
type Answered = Map<string, Map<number, number>>;

/** Asks for every line; null: nobody answered. @throws when a line is not the one that was written */
export async function askAll(world: World, source: Source): Promise<
  { found: Answered; isWhole: boolean; said: string } | null
> {
  const found: Answered = new Map(world.hosts.map(({ name }) => [name, new Map()]));
  const flags = [...RANGE, "--source", source];
  const said: string[] = [];
  let isWhole = true;
  for (const table of ["logs", "rejects"]) {
    const line = table === "logs" ? "line" : "decode(line)";
    const asked = await world.fleet.query(`SELECT host, ${line} AS line FROM ${table}`, ...flags)
      .catch((error) => void world.story.push(`  (no answer: ${error.message.slice(0, 200)})`));
    if (asked === undefined) return null;
    const { code, answer: { rows, coverage } } = asked;
    if (code !== 0 || coverage.missing.length > 0) {
      isWhole = false;
      said.push(`${table}: exit ${code}, missing ${JSON.stringify(coverage.missing)}`);
    }
    for (const row of rows) note(world, found, String(row.host), String(row.line));
  }
  return { found, isWhole, said: said.join("; ") };
}

function note({ hosts }: World, found: Answered, name: string, text: string) {
  const number = Number(NUMBER.exec(text)?.[1]);
  const ofHost = found.get(name);
  const line = hosts.find((host) => host.name === name)?.lines.written[number - 1];
  if (line?.text !== text || ofHost === undefined) throw new Error(`${name} never wrote: ${text}`);
  ofHost.set(number, (ofHost.get(number) ?? 0) + 1);
}

/** What holds at any moment: nothing twice, nothing erased, and all that was there if it says so. */
export async function checkInTheMidst(world: World, source: Source) {
  const settled = new Map(world.hosts.map((host) => [host, host.lines.settled]));
  const answer = await askAll(world, source);
  if (answer === null) return;
  for (const [host, count] of settled) {
    const fate = (line: Line, index: number) => fateNow(line, index < count, world.erasures);
    const found = answer.found.get(host.name) ?? new Map();
    assertNone(
      `${source} in the midst`,
      host,
      problemsOf(host.lines.written, found, fate, answer.isWhole),
    );
  }
}

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
  for (const erasure of world.erasures) erasure.isSettled = true;
  for (const { lines } of world.hosts) lines.settled = lines.written.length;
  const [first, ...others] = world.random.shuffled(world.hosts);
  if (first === undefined) return;
  await start(world, first);
  await world.fleet.online(1, SETTLE_MS);
  await eventually(() => checkWhole(world, "auto"), SETTLE_MS); // it answers for the others
  for (const other of others) await start(world, other);
  await world.fleet.online(world.hosts.length, SETTLE_MS);
  await eventually(() => checkWhole(world, "auto"), SETTLE_MS);
  await eventually(() => checkWhole(world, "archive"), SETTLE_MS);
  await checkNeedle(world);
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

/** @param isSealed else late lines may wait that are to be erased: chunks alone are written anew */
async function checkWhole(world: World, source: Source, isSealed = true): Promise<true> {
  const answer = await askAll(world, source);
  if (answer === null) throw new Error("nobody answers");
  for (const host of world.hosts) {
    const found = answer.found.get(host.name) ?? new Map();
    assertFound(world, host, { found, where: `source ${source} (${answer.said})`, isSealed });
  }
  assert.equal(answer.said, "");
  return true;
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
  const address = addressOf(world.random.between(1, 5));
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

interface Seen {
  found: Found;
  where: string;
  isSealed: boolean;
}

function assertFound({ erasures }: World, host: Host, { found, where, isSealed }: Seen) {
  const fate = (line: Line) => {
    const wanted = fateOf(line, erasures);
    return wanted === "never" && !isSealed ? "maybe" : wanted;
  };
  const problems = problemsOf(host.lines.written, found, fate);
  assertNone(where, host, problems);
}

function assertNone(where: string, { name, lines }: Host, problems: readonly string[]) {
  if (problems.length === 0) return;
  throw new Error(`${where}: of ${lines.count} lines of ${name} ${problems.join(", ")}`);
}
