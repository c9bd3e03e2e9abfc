/** protocol/line_budget.ts: so many lines a second, and no more saved up than one second's. */
import assert from "node:assert/strict";
import { LineBudget } from "../../../protocol/line_budget.ts";

Deno.test("a second's lines may go at once, and others as time goes by", () => {
  let nowMs = 5_000;
  const budget = new LineBudget(10, () => nowMs);
  assert.deepEqual([budget.take(4), budget.available(), budget.take(20)], [4, 6, 6]);
  nowMs += 250;
  assert.deepEqual([budget.take(20), budget.available()], [2, 0]);
  nowMs += 50; // with the half that was left
  assert.equal(budget.take(1), 1);
  nowMs += 60_000;
  assert.equal(budget.take(100), 10);
  nowMs -= 10_000; // a clock that was set back
  assert.equal(budget.take(1), 0);
});
