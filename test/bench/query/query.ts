/** What queries cost: planned, on a host, over fleets small and large. */
import { benchChunks } from "./chunks.ts";
import { benchCrowd } from "./crowd.ts";
import { benchExports } from "./exports.ts";
import { benchFleets } from "./fleet.ts";
import { benchParts } from "./parts.ts";
import { benchPlanning } from "./planning.ts";

export async function benchQuery(): Promise<void> {
  await benchPlanning();
  await benchFleets();
  await benchParts();
  await benchChunks();
  await benchCrowd();
  await benchExports();
}
