/**
 * Random histories of two hosts and their archive: whatever fails, the archive has every line that was
 * written and not erased once, and so have answers.
 */
import { isCephThere } from "../harness/ceph/root.ts";
import { SEED, times } from "../harness/seed.ts";
import { settle } from "./settle.ts";
import { happen } from "./events.ts";
import { makeWorld } from "./world.ts";
import type { StoreKind, World } from "./world.ts";

/** Of a history; when all is well again after one, the archive is looked through. */
const PHASES = Math.min(3, times(1));

const EVENTS = 8;

const WORDS = 3_000;

for (let seed = SEED; seed < SEED + Math.ceil(times(1) / PHASES); seed++) {
  const kind: StoreKind = isCephThere() && seed % 3 !== 0 ? "ceph" : "folder";
  Deno.test({
    name: `history ${seed}: archive and answers have every line that was not erased once (${kind})`,
    fn: () => live(seed, kind),
  });
}

async function live(seed: number, kind: StoreKind) {
  await using world = await makeWorld(seed, kind);
  try {
    for (let phase = 0; phase < PHASES; phase++) {
      for (let i = 0; i < EVENTS; i++) await happen(world);
      await settle(world);
    }
  } catch (cause) {
    const what = cause instanceof Error ? cause.stack : String(cause);
    throw new Error(`History ${seed}: ${what}\n${world.story.join("\n")}\n${lastWords(world)}`);
  }
}

/** What the agents have said last. */
function lastWords({ fleet, hosts }: World): string {
  return hosts.map(({ name }) => `${name}:\n${fleet.agent(name).stderr.slice(-WORDS)}`).join("\n");
}
