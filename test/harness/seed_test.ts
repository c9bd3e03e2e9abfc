/** Chance in tests: the same every day, another when it is asked for. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { orders, testsWithChance } from "../random.ts";
import { runProgram } from "./program.ts";
import { readSources } from "./sources.ts";

const PROPERTIES = new URL("properties.ts", import.meta.url).href;

/** Some numbers that fast-check draws in a process of its own, and of how many a property is made. */
async function drawn(env: Record<string, string>) {
  const code = `const { fc } = await import("${PROPERTIES}");
    let cases = 0;
    fc.assert(fc.property(fc.nat(), () => void cases++));
    console.log(JSON.stringify({ cases, drawn: fc.sample(fc.nat(), 5) }));`;
  const inherited = { LOGVEND_SEED: "", LOGVEND_TIMES: "" };
  const args = ["eval", "--no-lock", "--quiet", code];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const { code: end, stdout, stderr } = await runProgram({
    args,
    env: { ...inherited, ...env },
    cwd,
  });
  if (end !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as { cases: number; drawn: number[] };
}

Deno.test("without a seed fast-check draws the same at every run; with one, others, and as many as are asked for", async () => {
  const everyDay = await drawn({});
  assert.deepEqual(await drawn({}), everyDay);
  assert.equal(everyDay.cases, 100);
  const other = await drawn({ LOGVEND_SEED: "7", LOGVEND_TIMES: "3" });
  assert.equal(other.cases, 300);
  assert.notDeepEqual(other.drawn, everyDay.drawn);
  await assert.rejects(drawn({ LOGVEND_SEED: "x" }), /LOGVEND_SEED: found "x"; wanted a whole/);
});

Deno.test("deno task random finds the tests that chance is in, and gives each run another seed", async () => {
  const found = testsWithChance(await readSources());
  for (const path of ["unit/queries/differential_test.ts", "unit/agent/ingest/blocks_test.ts"]) {
    assert.ok(found.includes(`test/${path}`), path);
  }
  assert.ok(!found.includes("test/e2e/fleet_test.ts"));
  const { env, tests, flags } = orders([
    "--",
    "--times",
    "2",
    "test/a_test.ts",
    "--",
    "--fail-fast",
  ]);
  assert.equal(env.LOGVEND_TIMES, "2");
  assert.deepEqual([tests, flags], [["test/a_test.ts"], ["--fail-fast"]]);
  assert.notEqual(orders([]).env.LOGVEND_SEED, orders([]).env.LOGVEND_SEED);
  assert.equal(orders(["--seed", "5"]).env.LOGVEND_SEED, "5");
});
