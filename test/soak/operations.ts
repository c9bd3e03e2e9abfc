/** What operators do in a history: they erase, and look after manifests and the orchestrator. */
import { eraseCommand } from "../../orchestrator/cli/archive_erase.ts";
import { indexCommand } from "../../orchestrator/cli/archive_index.ts";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { ChunkCache } from "../../agent/archive/reads/chunk_cache.ts";
import { CapturedTerminal } from "../harness/captured_terminal.ts";
import { testCatalog } from "../harness/catalog.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { addressOf, EVERY_MS, FIRST_MS, HOUR_MS, HOURS, LAST_MS } from "./model.ts";
import { REGION } from "./world.ts";
import type { World } from "./world.ts";

/** A client or all of some hours. */
export async function erases(world: World): Promise<string | null> {
  const { random, fleet, erasures } = world;
  const from = random.between(0, HOURS - 1);
  const sinceMs = FIRST_MS + from * EVERY_MS + random.between(0, 1) * HOUR_MS / 2;
  // Not in the future, at whatever time of the day this runs.
  const untilMs = Math.min(sinceMs + random.between(1, 30) * HOUR_MS, LAST_MS);
  const address = random.chance(0.7) ? addressOf(random.between(1, 5)) : null;
  const [since, until] = [sinceMs, untilMs].map((ms) => new Date(ms).toISOString());
  if (since === undefined || until === undefined) return null;
  const options = {
    ...{ config: fleet.path("orchestrator.yaml"), stream: "logs", wait: "5s", since, until },
    ...{ key: fleet.env.LOGVEND_KEY, confirm: `erase logs ${since} ${until}` },
    ...address === null ? {} : { where: `remote_addr = '${address}'` },
  };
  const terminal = new CapturedTerminal();
  const client = new ApiClient(fleet.url);
  const code = await eraseCommand({ options, client, terminal }).catch((error) => error.message);
  const id = /^erasure (\S+)$/m.exec(terminal.stderr)?.[1];
  if (id !== undefined) erasures.push({ id, sinceMs, untilMs, address, isSettled: false });
  return `${address ?? "all"} ${since} ${until}: ${id ?? "not begun"}, ${code}`;
}

export async function orchestratorKilled({ fleet }: World): Promise<string | null> {
  await fleet.killOrchestrator();
  await fleet.startOrchestrator();
  return "";
}

/** As an agent of the region does it when it is its turn. */
export async function makesManifests({ openStore }: World): Promise<string> {
  await using folder = await TempFolder.make();
  const cache = await ChunkCache.open({ folder: folder.join("cache"), quotaBytes: 1e9 });
  const index = new Map([["logs", ["remote_addr"]]]);
  const more = { region: REGION, index, folder: folder.join("manifests") };
  await using catalog = testCatalog(await openStore(), cache, more);
  return await catalog.keeper.round(new AbortController().signal)
    .then(() => "all that are due", (error) => error.message);
}

export async function removesManifests({ fleet }: World): Promise<string> {
  const options = {
    config: fleet.path("orchestrator.yaml"),
    since: "all",
    output: "table" as const,
  };
  return await indexCommand({ ...options, rebuild: true }, new CapturedTerminal())
    .then(() => "", (error) => error.message);
}
