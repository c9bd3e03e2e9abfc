/** Asks for every line, and compares what comes with what was written. */
import assert from "node:assert/strict";
import { messageOf } from "../../protocol/errors.ts";
import { LINE_NUMBER } from "../faults/writer.ts";
import { fateNow, fateOf, FIRST_MS, LAST_MS, problemsOf } from "./model.ts";
import type { Found, Line } from "./model.ts";
import type { Host, World } from "./world.ts";

export type Source = "auto" | "archive";

const NUMBER = new RegExp(LINE_NUMBER.replace('[ "?]', "(?!\\d)"));

/** Of all lines. It is over: a host that is away lacks nothing of it. */
export const RANGE = [
  "--force", // on a machine that is slow for others a query that was cancelled may have to be killed
  ...["--since", new Date(FIRST_MS).toISOString()],
  ...["--until", new Date(LAST_MS).toISOString()],
];

/** Where what has been seen of each host is kept: by number, how often. */
type Answered = Map<string, Map<number, number>>;

/** Every line that was answered, and whether none is said to be missing. */
interface Answer {
  found: Answered;
  isWhole: boolean;
  said: string;
}

/** Asks for every line; null: nobody answered. @throws when a line is not the one that was written */
async function askAll(world: World, source: Source): Promise<Answer | null> {
  const found: Answered = new Map(world.hosts.map(({ name }) => [name, new Map()]));
  const flags = [...RANGE, "--source", source];
  const said: string[] = [];
  let isWhole = true;
  const isGrouped = world.looks.chance(0.3);
  for (const table of ["logs", "rejects"]) {
    const line = `${table === "logs" ? "line" : "decode(line)"} AS line`;
    const sql = isGrouped
      ? `SELECT host, ${line}, count(*) AS n FROM ${table} GROUP BY ALL`
      : `SELECT host, ${line}, 1 AS n FROM ${table}`;
    const asked = await world.fleet.query(sql, ...flags)
      .catch((error) => void world.story.push(`  (no answer: ${error.message.slice(0, 200)})`));
    if (asked === undefined) return null;
    const { code, answer: { rows, coverage } } = asked;
    if (code !== 0 || coverage.missing.length > 0) {
      isWhole = false;
      said.push(`${table}: exit ${code}, missing ${JSON.stringify(coverage.missing)}`);
    }
    for (const row of rows) note(world, found, row);
  }
  return { found, isWhole, said: said.join("; ") };
}

/** Counts a line. @throws when it was never written */
export function note({ hosts }: World, found: Answered, row: Record<string, unknown>) {
  const [name, text] = [String(row.host), String(row.line)];
  const number = Number(NUMBER.exec(text)?.[1]);
  const ofHost = found.get(name);
  const line = hosts.find((host) => host.name === name)?.lines.written[number - 1];
  if (line?.text !== text || ofHost === undefined) throw new Error(`${name} never wrote: ${text}`);
  ofHost.set(number, (ofHost.get(number) ?? 0) + Number(row.n));
}

/** What holds at any moment: nothing twice, nothing erased, and all that was there if it says so. */
export async function checkInTheMidst(world: World, source: Source) {
  const settled = settledOf(world);
  const answer = await askAll(world, source);
  if (answer === null) return;
  assertNow(world, answer, `${source} in the midst`, settled);
}

/** How many lines of each host are surely there, but for the erased. */
function settledOf({ hosts }: World): ReadonlyMap<Host, number> {
  return new Map(hosts.map((host) => [host, host.lines.settled]));
}

function assertNow(
  world: World,
  answer: Answer,
  where: string,
  settled: ReadonlyMap<Host, number>,
) {
  for (const [host, count] of settled) {
    const fate = (line: Line, index: number) => fateNow(line, index < count, world.erasures);
    const found = answer.found.get(host.name) ?? new Map();
    assertNone(where, host, problemsOf(host.lines.written, found, fate, answer.isWhole));
  }
}

/**
 * What holds when nothing is on its way. While something is, it throws; what never holds is noted.
 * @param isSealed else late lines may wait that are to be erased: chunks alone
 * are written anew
 */
export async function checkWhole(world: World, source: Source, isSealed = true): Promise<true> {
  const answer = await askAll(world, source);
  if (answer === null) throw new Error("nobody answers");
  try {
    assertNow(world, answer, `source ${source}`, settledOf(world));
  } catch (error) {
    world.problems.push(messageOf(error));
  }
  for (const host of world.hosts) {
    const found = answer.found.get(host.name) ?? new Map();
    assertFound(world, host, { found, where: `source ${source} (${answer.said})`, isSealed });
  }
  assert.equal(answer.said, "");
  return true;
}

interface Seen {
  found: Found;
  where: string;
  isSealed: boolean;
}

/** @throws naming what is missing, doubled or erased of a host when all is quiet */
export function assertFound({ erasures }: World, host: Host, { found, where, isSealed }: Seen) {
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
