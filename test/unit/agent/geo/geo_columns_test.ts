/** Rows with the places of their addresses, against the same rows without. */
import assert from "node:assert/strict";
import { GeoColumns } from "../../../../agent/geo/geo_columns.ts";
import { GEO_COLUMNS } from "../../../../agent/geo/geo_names.ts";
import { addressField, geoProblems, shapeOfStream } from "../../../../agent/geo/geo_shape.ts";
import { PlaceCache } from "../../../../agent/geo/place_cache.ts";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { lineForm } from "../../../../agent/ingest/line_form.ts";
import type { LineForm } from "../../../../agent/ingest/line_form.ts";
import { Stream } from "../../../../agent/stream_config.ts";
import type { StreamConfig } from "../../../../agent/stream_config.ts";
import { combinedLine, jsonLine, manyLines } from "../../../harness/lines.ts";
import { plainBatch } from "../ingest/plain_batch.ts";

const encoder = new TextEncoder();

/** The rows that a stream makes of a text, and the addresses that were looked up for them. */
function made(text: string, settings: object, isOn = true) {
  const asked: string[] = [];
  const places = new PlaceCache((address) => {
    asked.push(address);
    return /^10\./.test(address) ? { country: "BR", city: `São ${address}` } : null;
  });
  const stream = Stream.parse({ name: "logs", files: ["a"], ...settings });
  const geo = isOn ? { database: "a.mmdb" } : undefined;
  const form: LineForm = {
    ...lineForm(stream, shapeOfStream(stream, { geo }), null),
    geo: isOn ? new GeoColumns({ places }, addressField(stream) ?? "") : null,
  };
  const maker = new BatchMaker("0123456789abcdef", form, () => 0);
  const bytes = encoder.encode(text);
  const cut = { kind: "lines", consumed: bytes.length, offset: 0 } as const;
  const batches = Array.from(
    maker.batches({ cut, window: bytes, before: new Uint8Array() }),
    (batch) => ({ ...plainBatch(batch), shape: null }),
  );
  return { batches, asked };
}

/** Columns of all rows, by name. */
function columns({ batches }: ReturnType<typeof made>, name: string): unknown[] {
  return batches.flatMap(({ rows }) => (rows as Record<string, unknown[]>)[name] ?? []);
}

Deno.test("rows differ in nothing but the columns of the place, and addresses are looked up once", () => {
  const odd = combinedLine(3).trimEnd() + ' "more"\n';
  const text = manyLines(combinedLine, 0, 5_000) + odd + manyLines(jsonLine, 0, 3);
  const on = made(text, {});
  const rowsOf = ({ batches }: ReturnType<typeof made>) =>
    batches.map(({ rows, ...batch }) => {
      const { geo_country: _, geo_city: __, ...others } = rows as Record<string, unknown>;
      return { ...batch, rows: others };
    });
  assert.deepEqual(rowsOf(on), rowsOf(made(text, {}, false)));
  assert.equal(on.asked.length, 253);
  assert.equal(new Set(on.asked).size, 253);
  const addresses = columns(on, "remote_addr");
  assert.equal(addresses.length, 5_004);
  assert.deepEqual(columns(on, "geo_city"), addresses.map((address) => `São ${address}`));
  assert.deepEqual(new Set(columns(on, "geo_country")), new Set(["BR"]));
});

Deno.test("rows whose address is nowhere keep nothing of the rows before them", () => {
  const line = combinedLine(1);
  const other = line.replace("10.0.0.1", "127.0.0.1");
  const text = (line + other).repeat(2_048) + other.repeat(2_048);
  const cities = columns(made(text, {}), "geo_city");
  assert.deepEqual(new Set(cities.slice(4_096)), new Set([null]));
  assert.equal(cities.filter((city) => city === "São 10.0.0.1").length, 2_048);
});

Deno.test("what a rule has masked or hashed is not looked up as it was", () => {
  Deno.env.set("LOGVEND_TEST_KEY", "0123456789abcdef");
  const address = { field: "remote_addr", by: "mask" };
  const hash = { ...address, by: "hash", key: { env: "LOGVEND_TEST_KEY" } };
  const pattern = { pattern: String.raw`(?<=^10\.0\.0\.)\d+`, by: "mask" };
  for (const rule of [address, hash, pattern]) {
    const { asked } = made(combinedLine(7), { redact: [rule] });
    assert.equal(asked.length, 1);
    assert.ok(!asked.includes("10.0.0.7"), asked[0]);
  }
  assert.deepEqual(made(combinedLine(7), { redact: [address] }).asked, ["***"]);
});

Deno.test("streams of other formats name the column; its values need not all be addresses", () => {
  const text = [
    { time: "2026-11-22T10:00:00Z", Client: "10.0.0.1", ms: 5 },
    { time: "2026-11-22T10:00:00Z", Client: "nobody" },
    { time: "2026-11-22T10:00:00Z", ms: 6 },
    { time: "2026-11-22T10:00:00Z", Client: "10.0.0.1", geo_country: "mine" },
  ].map((line) => `${JSON.stringify(line)}\n`).join("");
  const on = made(text, { format: "json", geo: { field: "client" } });
  assert.deepEqual(columns(on, "geo_country").slice(0, 3), ["BR", null, null]);
  assert.equal(columns(on, "geo_country").at(-1), "BR");
  assert.equal(columns(on, "log_geo_country").at(-1), "mine");
  assert.deepEqual(on.asked, ["10.0.0.1", "nobody"]);
  // A field that no line has, and one that is no text.
  assert.deepEqual(made(text, { format: "json", geo: { field: "none" } }).asked, []);
  assert.deepEqual(made(text, { format: "json", geo: { field: "ms" } }).asked, []);
});

Deno.test("which streams have the columns, and what is wrong with wanting them", () => {
  const stream = (settings: object) => Stream.parse({ name: "logs", files: ["a"], ...settings });
  const geo = { database: "a.mmdb" };
  const access = stream({ format: { nginx: "$remote_addr $http_x_real_ip [$time_local]" } });
  const json = stream({ format: "json" });
  assert.deepEqual(shapeOfStream(json, { geo }).fields, []);
  assert.deepEqual(shapeOfStream(access, { geo }).fields.slice(-2), GEO_COLUMNS);
  assert.equal(shapeOfStream(access, {}).fields.some(({ name }) => name === "geo_city"), false);
  const wanted = (...streams: StreamConfig[]) =>
    geoProblems({ geo, streams }).map((one) => one.wanted);
  assert.deepEqual(wanted(access, json), []);
  assert.match(wanted(json)[0] ?? "", /a stream with geo: \{ field: COLUMN \}/);
  assert.deepEqual(wanted({ ...json, geo: { field: "any" } }), []);
  assert.deepEqual(wanted({ ...access, geo: { field: "http_x_real_ip" } }), []);
  const [names = ""] = wanted({ ...stream({}), geo: { field: "status" } });
  assert.match(names, /^remote_addr, remote_user, .*http_user_agent$/);
  const without = geoProblems({ streams: [{ ...json, geo: { field: "any" } }] });
  assert.deepEqual(without.map(({ path }) => path), [["streams", 0, "geo"]]);
});
