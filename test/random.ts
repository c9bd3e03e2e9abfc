/**
 * All tests that chance is in, at length and with a seed that nobody has tried:
 * `deno task random [--seed S] [--times N] [TEST …] [-- deno test flag …]`. Its first line says the
 * seed, which makes the same cases again.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readSources } from "./harness/sources.ts";
import type { SourceFile } from "./harness/sources.ts";

/** A quarter of an hour. */
const TIMES = "10";

/** So many there are. */
const SEEDS = 2 ** 31;

const SEED_FILE = "test/harness/seed.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { env, tests, flags } = orders(args);
  console.log(`seed ${env.LOGVEND_SEED}, ${env.LOGVEND_TIMES} times as many cases as every day`);
  const paths = tests.length > 0 ? tests : testsWithChance(await readSources());
  const run = fileURLToPath(new URL("run.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", run, ...flags, ...paths],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env,
  }).spawn();
  return (await child.status).code;
}

/** What a command line asks for: a seed of its own, unless it names one. */
export function orders(args: string[]) {
  const { values: { seed, times }, positionals } = parseArgs({
    args: args[0] === "--" ? args.slice(1) : args,
    options: {
      seed: { type: "string", default: String(Math.floor(Math.random() * SEEDS)) },
      times: { type: "string", default: TIMES },
    },
    allowPositionals: true,
  });
  const isFlag = (text: string) => text.startsWith("-");
  return {
    env: { LOGVEND_SEED: seed, LOGVEND_TIMES: times },
    tests: positionals.filter((text) => !isFlag(text)),
    flags: positionals.filter(isFlag),
  };
}

/** Tests that load the seed, themselves or through what they import. */
export function testsWithChance(sources: ReadonlyMap<string, SourceFile>): string[] {
  const known = new Map<string, boolean>([[SEED_FILE, true]]);
  const hasChance = (path: string): boolean => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const found = sources.get(path)?.loads.some(hasChance) ?? false;
    known.set(path, found);
    return found;
  };
  return [...sources.keys()].filter((path) => path.endsWith("_test.ts") && hasChance(path)).sort();
}
