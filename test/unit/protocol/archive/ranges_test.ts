import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import {
  missingFrom,
  requestsFor,
  totalBytes,
  unite,
} from "../../../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../../../protocol/archive/ranges.ts";

const KB = 1_024;

const range = fc.tuple(fc.nat(5_000 * KB), fc.nat(3_000 * KB))
  .map(([start, length]): ByteRange => ({ start, end: start + length }));
const ranges = fc.array(range, { maxLength: 12 });

const holds = (list: readonly ByteRange[], at: number) =>
  list.some(({ start, end }) => start <= at && at < end);

Deno.test("requests hold every wanted byte once, and few others", () => {
  fc.assert(fc.property(ranges, (wanted) => {
    const requests = requestsFor(wanted);
    const needed = totalBytes(unite(wanted));
    assert(totalBytes(requests) <= needed * 1.05);
    for (const { start, end } of wanted.filter(({ start, end }) => end > start)) {
      for (const at of [start, end - 1]) assert(holds(requests, at));
    }
    for (const [i, { start }] of requests.entries()) {
      assert(start >= (requests[i - 1]?.end ?? 0));
    }
    assert(requests.every(({ start, end }) => end - start <= 2 * KB * KB && end > start));
  }));
});

Deno.test("what is missing and what is there make up what is wanted", () => {
  fc.assert(fc.property(ranges, ranges, fc.nat(8_000 * KB), (wanted, there, at) => {
    const present = unite(there);
    const missing = missingFrom(wanted, present);
    assert.equal(holds(missing, at), holds(wanted, at) && !holds(present, at));
  }));
});

Deno.test("small gaps are read too, large ones are not", () => {
  const wanted = [
    { start: 0, end: 1_000 * KB },
    { start: 1_010 * KB, end: 1_500 * KB },
    { start: 1_600 * KB, end: 1_800 * KB },
  ];
  assert.deepEqual(requestsFor(wanted), [
    { start: 0, end: 1_500 * KB },
    { start: 1_600 * KB, end: 1_800 * KB },
  ]);
});
