import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import {
  chunksOf,
  hashOf,
  hashSql,
  packSlice,
  sliceBits,
  sliceOf,
  sortedPairs,
  unpackSlice,
} from "../../../../../protocol/archive/catalog/fingerprints.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";

Deno.test("SQL and JavaScript have the same hash of a text, whatever is in it", async () => {
  await using engine = await Engine.open();
  const texts = fc.sample(fc.string({ unit: "grapheme", maxLength: 40 }), 200);
  for (const text of ["", "192.0.2.1", "ü", "\u{1F600}", "a'b\\c", ...texts]) {
    const { rows } = await engine.read(`SELECT ${hashSql("$text")}`, { text });
    assert.equal(hashOf(text), Number(rows[0]?.[0]), JSON.stringify(text));
  }
});

Deno.test("a slice gives back the pairs that were packed, in order", () => {
  const bits = 7;
  const size = 2 ** 33;
  const pair = fc.tuple(
    fc.integer({ min: 0, max: size - 1 }),
    fc.integer({ min: 0, max: 2 ** 20 - 1 }),
  );
  const pairs = fc.uniqueArray(pair, { maxLength: 300, selector: String });
  fc.assert(fc.property(pairs, fc.integer({ min: 0, max: 127 }), (drawn, slice) => {
    const hashes = drawn.map(([hash]) => slice * size + hash);
    const sorted = sortedPairs(hashes, drawn.map(([, chunk]) => chunk), bits);
    const read = unpackSlice(packSlice(sorted));
    const text = (of: typeof read) => [...of.hashes].map((hash, i) => `${hash} ${of.chunks[i]}`);
    const expected = drawn.map(([hash, chunk]) => [slice * size + hash, chunk] as const)
      .toSorted(([a, b], [c, d]) => a - c || b - d).map((one) => one.join(" "));
    assert.deepEqual(text(read), expected);
    for (const hash of hashes) {
      const chunks = drawn.filter(([own]) => slice * size + own === hash).map(([, chunk]) => chunk);
      assert.deepEqual(chunksOf(read, hash), chunks.sort((a, b) => a - b));
      assert.equal(sliceOf(hash, bits), slice);
    }
    assert.deepEqual(chunksOf(read, -1), []);
  }));
});

Deno.test("slices stay small, and hash and chunk fit into a number together", () => {
  assert.equal(sliceBits(0, 0), 0);
  assert.equal(sliceBits(3_500, 24), 0);
  assert.equal(sliceBits(3_501, 24), 1);
  assert.equal(sliceBits(14_000_000, 2_760), 12);
  assert.equal(sliceBits(10, 2 ** 20), 7);
});

Deno.test("a byte of a slice that is another one is noticed", () => {
  const pairs = sortedPairs([5, 9, 2 ** 39], [0, 1, 2], 0);
  const bytes = packSlice(pairs);
  for (let at = 0; at < bytes.length; at++) {
    assert.throws(
      () => unpackSlice(bytes.map((byte, i) => i === at ? byte ^ 1 : byte)),
      RangeError,
    );
  }
  assert.throws(() => unpackSlice(bytes.slice(0, 5)), RangeError);
});
