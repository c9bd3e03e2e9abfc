import assert from "node:assert/strict";
import { retried } from "../../../../../agent/archive/reads/retried.ts";
import { ObjectStoreError } from "../../../../../protocol/archive/object_store.ts";
import type { StoreProblem } from "../../../../../protocol/archive/object_store.ts";

/** Fails so often, then succeeds; says how it waited, and how often it was tried. */
async function run(problem: StoreProblem, failures: number, random = 1) {
  const waitsMs: number[] = [];
  let attempts = 0;
  const outcome = await retried(() => {
    if (attempts++ < failures) throw new ObjectStoreError(problem, "Cannot read", "S3 503");
    return Promise.resolve("read");
  }, {
    signal: new AbortController().signal,
    random: () => random,
    wait: (ms) => Promise.resolve(waitsMs.push(ms)),
  }).catch((error) => error.problem);
  return { outcome, attempts, waitsMs };
}

Deno.test("what may pass is tried four times, with full jitter below a bound that doubles", async () => {
  for (const problem of ["busy", "truncated", "unreachable"] as const) {
    const waitsMs = [200, 400, 800];
    assert.deepEqual(await run(problem, 3), { outcome: "read", attempts: 4, waitsMs });
    assert.deepEqual(await run(problem, 9), { outcome: problem, attempts: 4, waitsMs });
  }
  assert.deepEqual((await run("busy", 2, 0.25)).waitsMs, [50, 100]);
});

Deno.test("what stays as it is is not tried again", async () => {
  for (const problem of ["missing", "changed", "denied", "credentials", "no_bucket"] as const) {
    assert.deepEqual(await run(problem, 1), { outcome: problem, attempts: 1, waitsMs: [] });
  }
});

Deno.test("an abort ends it, while it waits too", async () => {
  const stop = new AbortController();
  const busy = () => Promise.reject(new ObjectStoreError("busy", "Cannot read", "S3 503"));
  const waiting = retried(busy, { signal: stop.signal, random: () => 1 });
  stop.abort(new Error("the end"));
  await assert.rejects(waiting, { message: "the end" });
});
