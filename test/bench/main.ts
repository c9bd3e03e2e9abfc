/**
 * The benchmarks: `deno task bench NAME`, of the queries' also some parts, `bench query planning
 * chunks`. Each prints its figures; none of them judges.
 */
import { benchArchive } from "./archive/archive.ts";
import { benchFootprint } from "./footprint.ts";
import { benchIngest } from "./ingest.ts";
import { benchQuery } from "./query/query.ts";
import { benchStore } from "./store.ts";
import { benchWindows } from "./windows.ts";

const BENCHMARKS: Readonly<Record<string, (parts: readonly string[]) => Promise<void>>> = {
  query: benchQuery,
  ingest: benchIngest,
  store: benchStore,
  windows: benchWindows,
  archive: benchArchive,
  footprint: benchFootprint,
};

const [name = "", ...parts] = Deno.args.filter((argument) => argument !== "--");
const run = BENCHMARKS[name];
if (run === undefined) {
  console.error(`Which benchmark? deno task bench ${Object.keys(BENCHMARKS).join(" | ")}`);
  Deno.exit(64);
}
await run(parts);
