import assert from "node:assert/strict";
import { backoffMs, nextMoment } from "../../../../agent/archive/schedule.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse("2026-11-22T18:34:56Z");

Deno.test("every host has a moment of its own in every period, and a fleet is spread over it", () => {
  const perMinute = new Array(60).fill(0);
  for (let i = 0; i < 6_000; i++) {
    const host = `web-${i}`;
    const next = nextMoment(host, HOUR_MS, NOW_MS);
    assert.ok(next > NOW_MS && next <= NOW_MS + HOUR_MS);
    assert.equal(nextMoment(host, HOUR_MS, next - 1), next);
    assert.equal(nextMoment(host, HOUR_MS, next), next + HOUR_MS);
    perMinute[Math.floor(next / 60_000) % 60]++;
  }
  assert.ok(Math.min(...perMinute) > 50 && Math.max(...perMinute) < 150, perMinute.join(" "));
});

Deno.test("waits after failures are random below a bound that doubles up to five minutes", () => {
  const bound = (failures: number) => backoffMs(failures, () => 1);
  assert.deepEqual([0, 1, 2, 8, 9, 1_000].map(bound), [
    1_000,
    2_000,
    4_000,
    256_000,
    300_000,
    300_000,
  ]);
  assert.equal(backoffMs(9, () => 0.1), 30_000);
});
