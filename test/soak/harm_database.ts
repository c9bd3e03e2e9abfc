/** Damages to agent.db of a host that is down. */
import { join } from "node:path";
import type { Random } from "../faults/random.ts";
import type { Host } from "./world.ts";

const DAMAGES = ["gone", "empty", "torn", "noise", "old copy"] as const;

/** Returns which. */
export async function harmDatabase(host: Host, random: Random): Promise<string> {
  const path = join(host.dataDir, "agent.db");
  const copy = join(host.dataDir, "..", "agent.db.old");
  const damage = random.pick(DAMAGES);
  const { size } = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return { size: null }; // it did not come so far
    throw error;
  });
  if (size === null) return "there was none yet";
  const earlier = host.oldCopy;
  if (earlier === null || random.chance(0.5)) {
    await Deno.copyFile(path, copy); // as it is without its journal: a backup that somebody made
    host.oldCopy = copy;
  }
  switch (damage) {
    case "gone":
      await Deno.remove(path);
      break;
    case "empty":
      await Deno.truncate(path, 0);
      break;
    case "torn":
      await Deno.truncate(path, Math.floor(size / 2) + random.between(1, 500));
      break;
    case "noise":
      await Deno.writeFile(path, random.bytes(Math.min(size, 50_000)));
      break;
    case "old copy":
      if (earlier !== null) await Deno.copyFile(earlier, path);
      break;
    default:
      return damage satisfies never;
  }
  return damage;
}
