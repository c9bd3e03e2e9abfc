import assert from "node:assert/strict";
import { sealedId, withoutRows } from "../../../../protocol/chunk/chunk_id.ts";
import { checkPlace } from "../../../../queries/chunk/check_place.ts";

const PLACE = { stream: "logs", region: "eu", hour: "2026-11-22T19" };
const FROM = { schemaVersion: 3, runs: [{ generation: "a", start: 0, end: 900 }] };

/** Checks a chunk that `sealer` has sealed, of rows of `host`, under the name of `web-1`. */
function check(sealer: string, host: string | null, erased = 0) {
  const sealed = sealedId({ ...PLACE, host: sealer }, FROM);
  const chunk = erased === 0 ? sealed : withoutRows(sealed, { rows: erased, digest: 5n });
  const facts = { id: chunk, host, ...FROM, generations: [] };
  checkPlace(facts, { ...PLACE, host: "web-1", chunk });
}

Deno.test("a copy of another host's chunk is none of this host's, rows erased or not", () => {
  const copy = /it is a copy of a chunk of web-2, under another's name/;
  assert.throws(() => check("web-2", "web-2"), copy);
  assert.throws(() => check("web-2", "web-2", 3), copy);
  check("web-1", "web-1");
  check("web-1", "web-1", 3);
});

Deno.test("rows of a host whose data folder this one took over count as this one's chunk", () => {
  check("web-1", "web-2");
  check("web-1", null); // of both
});

Deno.test("what else an id is made of tells another chunk of the same bytes, and a copy of it", () => {
  const place = { ...PLACE, host: "web-2" };
  const from = { ...FROM, mark: "c".repeat(16) };
  const id = sealedId(place, from);
  assert.notEqual(id, sealedId(place, FROM));
  assert.notEqual(id, sealedId(place, { ...FROM, mark: "d".repeat(16) }));
  assert.equal(sealedId(place, { ...FROM, mark: null }), sealedId(place, FROM));
  const facts = { id, host: "web-2", ...from, generations: [] };
  checkPlace(facts, { ...place, chunk: id });
  assert.throws(() => checkPlace(facts, { ...place, host: "web-1", chunk: id }), /it is a copy of/);
});

Deno.test("a chunk of another id is not what was listed; one that does not say is believed", () => {
  const facts = { id: "0".repeat(16), host: "web-1", ...FROM, generations: [] };
  const place = { ...PLACE, host: "web-1", chunk: "1".repeat(16) };
  assert.throws(() => checkPlace(facts, place), /it is the chunk 0{16}, under another's name/);
  checkPlace({ ...facts, id: null }, place);
});
