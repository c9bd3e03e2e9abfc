import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { portionsOf } from "../../../../queries/restore/slices.ts";

const source = (id: string, bytes: number) => ({ id, path: `/logs/${id}`, bytes });

Deno.test("portions cover every generation, in order, each within the limit", () => {
  const sizes = fc.array(fc.nat(100), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 60 }), (bytes, bytesMax) => {
    const sources = bytes.map((size, i) => source(`g${i}`, size));
    const anything = [{ path: "/data/a", runs: null }];
    const portions = [...portionsOf(sources, anything, bytesMax)];
    const slices = portions.flatMap((portion) => portion.slices);
    assert.deepEqual([...new Set(slices.map((slice) => slice.source))], sources);
    for (const [i, { source, start, end }] of slices.entries()) {
      const before = slices[i - 1];
      assert.equal(start, before?.source === source ? before.end : 0);
      const next = slices[i + 1];
      assert.equal(end === null, next?.source !== source); // the last one has no end
    }
    for (const { slices } of portions) {
      const total = slices.reduce((sum, one) => sum + (one.end ?? one.source.bytes) - one.start, 0);
      assert.ok(total <= bytesMax);
    }
  }));
});

Deno.test("a portion reads the files that may hold it, and what no file holds is no portion", () => {
  const files = [
    { path: "/data/one", runs: [{ generation: "a", start: 0, end: 10 }] },
    { path: "/data/two", runs: [{ generation: "a", start: 35, end: 40 }] },
    { path: "/data/new", runs: [{ generation: "b", start: 0, end: 1 }] },
  ];
  const sources = [source("a", 40), source("gone", 40), source("b", 1)];
  const portions = [...portionsOf(sources, files, 10)];
  assert.deepEqual(portions.map(({ files }) => files), [["/data/one"], ["/data/two"], [
    "/data/new",
  ]]);
  assert.deepEqual(portions.map(({ slices }) => slices[0]?.start), [0, 30, 0]);
});
