/**
 * Causes every fault that the agent must survive, for real, and checks every line:
 * `deno task faults [--rounds N] [--seed S] [--only NAME] [--short]`; `--short` is all of them with
 * small numbers. Exits 1 when a fault does harm, or, with CI=true, cannot be caused.
 */
import { parseArgs } from "node:util";
import { ensureDebianPackage } from "../../deploy/build/debian_package.ts";
import { ensureCeph } from "../harness/ceph/root.ts";
import { faketimeLibrary } from "./faketime.ts";
import { Random } from "./random.ts";
import { missingNeeds } from "./scenario.ts";
import type { Form, Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"),
    options: {
      rounds: { type: "string", default: "500" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      only: { type: "string", default: "" },
      short: { type: "boolean", default: false },
    },
  });
  await ensureDebianPackage("libfaketime", () => Promise.resolve(faketimeLibrary() !== null));
  await ensureCeph();
  console.log(`seed ${values.seed}`);
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(values.only))) {
    const random = new Random(Number(values.seed)); // each alone comes out as it does among all
    counts[
      await report(scenario, { random, short: values.short, rounds: Number(values.rounds) })
    ]++;
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  const isSkipFailure = skipped > 0 && Deno.env.get("CI") === "true";
  return failed > 0 || isSkipFailure || passed === 0 ? 1 : 0;
}

/** Runs one scenario and prints its line. */
async function report(scenario: Scenario, form: Form): Promise<keyof Counts> {
  const missing = missingNeeds(scenario);
  const name = scenario.name.padEnd(26);
  if (missing.length > 0) {
    console.log(`${name} skipped: needs ${missing.join(", ")}`);
    return "skipped";
  }
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
  try {
    const { caused, counts, details = [] } = await scenario.run(form);
    console.log(`${name} ${caused} · ${counts} · ${seconds()} · ok`);
    for (const detail of details) console.log(`  ${detail}`);
    return "passed";
  } catch (error) {
    console.log(`${name} ${seconds()} · FAILED`);
    console.log(`  ${error instanceof Error ? error.message : error}`);
    return "failed";
  }
}
