/** What queries cost: planned, on a host, over fleets small and large. */
import { benchChunks } from "./chunks.ts";
import { benchCrowd } from "./crowd.ts";
import { benchExports } from "./exports.ts";
import { benchFleets } from "./fleet.ts";
import { benchParts } from "./parts.ts";
import { benchPlanning } from "./planning.ts";

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  planning: benchPlanning,
  fleet: benchFleets,
  parts: benchParts,
  chunks: benchChunks,
  crowd: benchCrowd,
  exports: benchExports,
};

/** @param names of the parts to run; all, if there are none */
export async function benchQuery(names: readonly string[]): Promise<void> {
  const known = Object.keys(PARTS);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`No part ${unknown.join(", ")}; there are ${known.join(", ")}`);
  }
  for (const name of names.length === 0 ? known : names) await PARTS[name]?.();
}
