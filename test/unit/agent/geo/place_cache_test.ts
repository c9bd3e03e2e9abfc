import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { NOWHERE, PlaceCache } from "../../../../agent/geo/place_cache.ts";

const encoder = new TextEncoder();

/** A cache of addresses that are where their first part says, and what it has looked up. */
function counting() {
  const asked: string[] = [];
  const cache = new PlaceCache((address) => {
    asked.push(address);
    const country = address.split(".")[0] ?? "";
    return country === "" ? null : { country, city: null };
  });
  const countryOf = (address: string) => {
    const bytes = encoder.encode(`<${address}>`);
    return cache.placeAt(bytes, 1, bytes.length - 2).country;
  };
  return { cache, asked, countryOf };
}

Deno.test("an address is looked up once, in its batch and in those behind it", () => {
  const { cache, asked, countryOf } = counting();
  for (let batch = 0; batch < 3; batch++) {
    cache.begin(4);
    for (const address of ["1.2", "3.4", "1.2", ".5"]) countryOf(address);
  }
  assert.deepEqual(asked, ["1.2", "3.4", ".5"]);
});

Deno.test("every address gets its own place, whatever stands in the cache beside it", () => {
  const { cache, asked, countryOf } = counting();
  const address = fc.stringMatching(/^[0-9a-f:.]{0,4}[0-9]$/);
  fc.assert(fc.property(fc.array(address, { maxLength: 2_000 }), (addresses) => {
    cache.begin(addresses.length);
    for (const one of addresses) assert.equal(countryOf(one), one.split(".")[0] || null);
  }));
  assert.equal(new Set(asked).size, asked.length);
});

Deno.test("a cache that is full begins anew, between batches", () => {
  const { cache, asked, countryOf } = counting();
  for (let batch = 0; batch < 70; batch++) {
    cache.begin(1_000);
    for (let i = 0; i < 1_000; i++) assert.equal(countryOf(`${batch}.${i}`), String(batch));
  }
  assert.equal(asked.length, 70_000);
  countryOf("69.0");
  assert.equal(asked.length, 70_000);
  countryOf("0.0");
  assert.equal(asked.length, 70_001);
});

Deno.test("what is forgotten is looked up again", () => {
  const { cache, asked, countryOf } = counting();
  countryOf("1.2");
  cache.clear();
  assert.equal(countryOf("1.2"), "1");
  assert.equal(asked.length, 2);
});

Deno.test("NULL and texts that are longer than any address are not looked up", () => {
  const { cache, asked } = counting();
  const text = encoder.encode("1".repeat(46));
  assert.equal(cache.placeAt(text, 0, 46), NOWHERE);
  assert.equal(cache.placeAt(text, 0, 0), NOWHERE);
  assert.equal(cache.placeAt(text, 0, -1), NOWHERE);
  assert.equal(asked.length, 0);
  cache.placeAt(text, 0, 45);
  assert.equal(asked.length, 1);
});
