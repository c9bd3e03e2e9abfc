/** Lines of several hosts: their order, how long they wait, and how many leave. */
import assert from "node:assert/strict";
import { LineMerger } from "../../../../orchestrator/fanout/line_merger.ts";

/** Lines at these seconds, named after them. */
function at(...seconds: number[]) {
  return seconds.map((second) => ({ ts_us: second * 1e6, line: `at ${second}` }));
}

Deno.test("lines wait a second for earlier ones of other hosts, and none longer", () => {
  let nowMs = 0;
  const merger = new LineMerger({ rate: 100, now: () => nowMs });
  const taken = () => merger.take().map(({ host, line }) => `${host} ${line}`);
  merger.add("a", at(3, 7));
  nowMs = 600;
  merger.add("b", at(1, 5, 9));
  assert.deepEqual(taken(), []);
  nowMs = 1_000;
  assert.deepEqual(taken(), ["b at 1", "a at 3", "b at 5", "a at 7"]);
  merger.add("a", at(8));
  nowMs = 1_600;
  assert.deepEqual(taken(), ["a at 8", "b at 9"]);
  merger.add("a", at(2));
  assert.deepEqual(merger.rest().map(({ line }) => line), ["at 2"]);
  assert.equal(merger.leftOut, 0);
});

Deno.test("lines of one time stay in the order in which their host read them", () => {
  let nowMs = 0;
  const merger = new LineMerger({ rate: 100, now: () => nowMs });
  merger.add("a", [{ ts_us: 5, line: "first" }, { ts_us: 5, line: "second" }]);
  nowMs = 1_000;
  assert.deepEqual(merger.take().map(({ line }) => line), ["first", "second"]);
});

Deno.test("over the rate the later ones are left out and counted; a second later some may go", () => {
  let nowMs = 0;
  const merger = new LineMerger({ rate: 10, now: () => nowMs });
  merger.add("a", at(...Array(25).keys()));
  nowMs = 1_000;
  assert.deepEqual(
    merger.take().map(({ line }) => line),
    at(...Array(10).keys()).map((l) => l.line),
  );
  assert.equal(merger.leftOut, 15);
  merger.add("a", at(30, 31, 32, 33, 34, 35));
  nowMs = 1_500;
  assert.equal(merger.rest().length, 5);
  assert.equal(merger.leftOut, 16);
});

Deno.test("what nobody takes is bounded", () => {
  const merger = new LineMerger({ rate: 10_000, now: () => 0 });
  merger.add("a", at(...Array(9_990).keys()));
  merger.add("b", at(...Array(30).keys()));
  assert.equal(merger.leftOut, 20);
});
