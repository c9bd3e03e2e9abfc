import assert from "node:assert/strict";
import { folder, open } from "../scene.ts";

const SQL = "SELECT harm FROM logs";

Deno.test("a query that was killed is denied for an hour, over restarts, and no other", async () => {
  await using home = await folder();
  let nowMs = Date.parse("2026-11-22T19:00:00Z");
  const clock = () => nowMs;
  {
    await using store = await open(home.path, clock);
    assert.equal(store.denialOf(SQL), null);
    store.deny(SQL, "it was killed");
  }
  await using store = await open(home.path, clock);
  const denial = { untilMs: nowMs + 3_600_000, reason: "it was killed" };
  assert.deepEqual(store.denialOf(SQL), denial);
  assert.equal(store.denialOf(`${SQL} `), null);
  nowMs += 3_600_000;
  assert.equal(store.denialOf(SQL), null);
});
