import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { cutPieces, placed } from "../../../../../orchestrator/fanout/archive/pieces.ts";
import type { CutOptions, PlacedChunk } from "../../../../../orchestrator/fanout/archive/pieces.ts";

const chunk = fc.record({
  region: fc.constantFrom("eu", "us"),
  host: fc.constantFrom("web-1", "web-2", "web-3"),
  hour: fc.integer({ min: 10, max: 23 }),
  id: fc.nat(0xffffff),
  bytes: fc.nat(60_000_000),
}).map(({ region, host, hour, id, bytes }) => {
  const place = { stream: "logs", region, host, hour: `2026-11-22T${hour}` };
  const key = chunkPath({ ...place, chunk: id.toString(16).padStart(16, "0") });
  return { key, bytes, etag: `"${id}"`, rows: null, readBytes: bytes, requests: 2 };
});

const OPTIONS: CutOptions = {
  byHost: false,
  agentCount: () => 2,
  isHeld: () => false,
  referenceBytesMax: 20_000,
};

Deno.test("every chunk is in exactly one piece, and pieces keep to their limits", () => {
  const options = fc.record({
    byHost: fc.boolean(),
    owner: fc.constantFrom("web-1", "none"),
    referenceBytesMax: fc.integer({ min: 200, max: 30_000 }),
  });
  fc.assert(fc.property(fc.array(chunk, { maxLength: 80 }), options, (list, chosen) => {
    const { byHost, owner, referenceBytesMax } = chosen;
    const chunks = placed(list);
    assert.equal(chunks.length, new Set(list.map(({ key }) => key)).size);
    const isHeld = ({ place }: PlacedChunk) => place.host === owner && place.hour.endsWith("7");
    const pieces = cutPieces(chunks, { ...OPTIONS, byHost, isHeld, referenceBytesMax });
    const keys = pieces.flatMap((piece) => piece.chunks.map(({ key }) => key));
    assert.deepEqual(keys.toSorted(), chunks.map(({ key }) => key).toSorted());
    for (const { region, host, chunks: own, bytes } of pieces) {
      assert(own.every(({ place }) => place.region === region));
      if (host !== null) assert(own.every(({ place }) => place.host === host));
      assert(own.every((chunk) => byHost || (host !== null) === isHeld(chunk)));
      assert(own.length <= 200 && (byHost || own.length === 1 || bytes <= 128e6));
      assert(
        own.length === 1 || JSON.stringify(
              own.map(({ key, bytes, etag }) => [key, bytes, etag]),
            ).length <= referenceBytesMax + own.length,
      );
    }
  }));
});

Deno.test("two agents get several pieces each; hosts whose groups are their own stay whole", () => {
  const list = Array.from({ length: 48 }, (_, i) => {
    const place = { stream: "logs", region: "eu", host: `web-${i % 2}`, chunk: "0".repeat(16) };
    const hour = `2026-11-22T${String(Math.floor(i / 2)).padStart(2, "0")}`;
    const key = chunkPath({ ...place, hour });
    return { key, bytes: 4e6, etag: '"1"', rows: 10, readBytes: 4e6, requests: 2 };
  });
  assert.equal(cutPieces(placed(list), OPTIONS).length, 8);
  const whole = cutPieces(placed(list), { ...OPTIONS, byHost: true });
  assert.deepEqual(whole.map(({ host, chunks }) => [host, chunks.length]), [
    ["web-0", 24],
    ["web-1", 24],
  ]);
});

Deno.test("what is no chunk is left out", () => {
  const keys = [
    "stream=logs/readme.txt",
    "a.parquet",
    "stream=logs/region=eu/date=x/hour=1/h.parquet",
  ];
  const list = keys.map((key) => ({
    key,
    bytes: 1,
    etag: "",
    rows: null,
    readBytes: 1,
    requests: 1,
  }));
  assert.deepEqual(placed(list), []);
});
