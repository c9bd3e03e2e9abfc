import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import {
  counting,
  erasedOf,
  originOf,
  supersededKeys,
  withoutRows,
} from "../../../../protocol/chunk/chunk_id.ts";
import { chunkPath, parseChunkPath } from "../../../../protocol/chunk/chunk_path.ts";

const CHUNK = "0123456789abcdef";
const key = (chunk: string, host = "web-1") =>
  chunkPath({ stream: "logs", region: "eu", host, hour: "2026-11-22T19", chunk });

Deno.test("ids are the same for the same rows in any steps, and parse back", () => {
  const set = fc.record({
    rows: fc.integer({ min: 1, max: 1e6 }),
    digest: fc.bigInt(0n, 2n ** 64n),
  });
  fc.assert(fc.property(fc.array(set, { minLength: 1, maxLength: 6 }), (sets) => {
    const forth = sets.reduce(withoutRows, CHUNK);
    const back = sets.toReversed().reduce(withoutRows, CHUNK);
    assert.equal(forth, back);
    assert.equal(originOf(forth), CHUNK);
    assert.equal(erasedOf(forth).rows, sets.reduce((sum, { rows }) => sum + rows, 0));
    assert.equal(parseChunkPath(key(forth))?.chunk, forth);
    assert.ok(key(forth) > key(CHUNK), "a listing comes to it later");
  }));
  assert.deepEqual(erasedOf(CHUNK), { rows: 0, digest: 0n });
});

Deno.test("of chunks of one origin the last counts, whatever the order; everything else counts", () => {
  const once = withoutRows(CHUNK, { rows: 3, digest: 7n });
  const twice = withoutRows(once, { rows: 20, digest: 9n });
  const keys = [
    key(CHUNK),
    key(once),
    key(twice),
    key(CHUNK, "web-2"),
    key("fedcba9876543210"),
    "stream=logs/mine.csv",
  ];
  for (const some of [keys, keys.toReversed()]) {
    assert.deepEqual([...supersededKeys(some)].sort(), [key(CHUNK), key(once)].sort());
    const counted = counting(some.map((key) => ({ key }))).map(({ key }) => key);
    assert.deepEqual(counted, some.filter((one) => one !== key(CHUNK) && one !== key(once)));
  }
  assert.deepEqual(supersededKeys([key(CHUNK), key(CHUNK)]).size, 0);
});

Deno.test("no chunk is hidden by one of another host, hour, region or stream, whatever ids it forges", () => {
  const place = {
    stream: "logs",
    region: "eu",
    host: "web-1",
    hour: "2026-11-22T19",
    chunk: CHUNK,
  };
  const forged = withoutRows(CHUNK, { rows: 0xfffffff0, digest: (1n << 48n) - 1n });
  const others = [
    { host: "web" },
    { host: "web-1.0" },
    { host: `web-1.${CHUNK}` },
    { host: "web-10" },
    { host: "WEB-1" },
    { region: "eu-1" },
    { stream: "logs_2" },
    { hour: "2026-11-22T20" },
    { hour: "2026-11-23T19" },
  ];
  for (const other of others) {
    const keys = [chunkPath(place), chunkPath({ ...place, ...other, chunk: forged })];
    for (const some of [keys, keys.toReversed()]) assert.deepEqual([...supersededKeys(some)], []);
  }
  const own = [chunkPath(place), chunkPath({ ...place, chunk: forged })];
  assert.deepEqual([...supersededKeys(own)], [chunkPath(place)], "its own it can");
});
