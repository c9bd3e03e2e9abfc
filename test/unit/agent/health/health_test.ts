import assert from "node:assert/strict";
import { hindrances, illnesses } from "../../../../agent/health/health.ts";
import type { Signs } from "../../../../agent/health/health.ts";
import type { StoreCondition } from "../../../../agent/store/observer.ts";

const WELL: StoreCondition = {
  broken: false,
  writeError: null,
  paused: null,
  flushStoodMs: 10_000,
  waitingRows: 0,
};

function signs(condition: Partial<StoreCondition>, others: Partial<Signs> = {}): Signs {
  return {
    condition: { ...WELL, ...condition },
    readingStoodMs: 200,
    flushEveryMs: 10_000,
    hasCaughtUp: true,
    heldBack: null,
    lateUpload: null,
    ...others,
  };
}

Deno.test("an agent is healthy while its loops come round, and ready once it has read all", () => {
  assert.deepEqual(illnesses(signs({})), []);
  assert.deepEqual(hindrances(signs({})), []);
  assert.deepEqual(illnesses(signs({}, { hasCaughtUp: false })), []);
  assert.match(hindrances(signs({}, { hasCaughtUp: false })).join(), /have not been read/);
});

Deno.test("a full disk keeps an agent from being ready, and is nothing a restart helps against", () => {
  const full = signs({ writeError: "No space left on device" }, { readingStoodMs: 3_600_000 });
  assert.deepEqual(illnesses(full), []);
  assert.deepEqual(hindrances(full), ["parts cannot be written: No space left on device"]);
});

Deno.test("a broken store and loops that stand still are illnesses, each with its reason", () => {
  const said = (broken: Signs) => {
    assert.deepEqual(illnesses(broken), hindrances(broken));
    return illnesses(broken).join("; ");
  };
  assert.match(said(signs({ broken: true })), /^a batch could not be kept in memory: restart/);
  assert.equal(said(signs({ flushStoodMs: 120_000 })), "no flush was tried for 2 m");
  assert.equal(said(signs({}, { readingStoodMs: 90_000 })), "reading has stood still for 2 m");
});
