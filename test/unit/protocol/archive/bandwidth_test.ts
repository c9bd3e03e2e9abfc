import assert from "node:assert/strict";
import { Bandwidth } from "../../../../protocol/archive/bandwidth.ts";
import { turnsOf } from "../../../harness/turns.ts";

async function pace(bandwidth: Bandwidth, bytes: number, signal = new AbortController().signal) {
  const startedMs = performance.now();
  let sent = 0;
  for await (const block of bandwidth.pace(new Uint8Array(bytes), signal)) sent += block.length;
  assert.equal(sent, bytes);
  return performance.now() - startedMs;
}

Deno.test("a bandwidth holds for all that is sent together, and ends with the signal", async () => {
  const bandwidth = new Bandwidth(2_000_000);
  const ms = await Promise.all([pace(bandwidth, 300_000), pace(bandwidth, 300_000)]);
  const slowest = Math.max(...ms); // 600 KB less the last block, which nothing waits for
  assert.ok(slowest > 240 && slowest < 20_000, `${slowest} ms`);
  assert.ok(await turnsOf(pace(new Bandwidth(undefined), 5_000_000)) < 500);
  const soon = AbortSignal.timeout(50);
  await assert.rejects(pace(new Bandwidth(10_000), 500_000, soon), {
    name: /AbortError|TimeoutError/,
  });
});
