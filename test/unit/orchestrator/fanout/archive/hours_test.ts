import assert from "node:assert/strict";
import {
  absentHours,
  lackingHours,
  spansText,
} from "../../../../../orchestrator/fanout/archive/hours.ts";
import { placed } from "../../../../../orchestrator/fanout/archive/pieces.ts";
import type { SealedHours } from "../../../../../orchestrator/fleet/chunk_catalog.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { spansOf } from "../../../../../protocol/wire/hour_spans.ts";

const DAY = "2026-11-22";

function chunks(...hours: readonly (string | number)[]) {
  return placed(hours.map((hour, i) => {
    const place = { stream: "logs", region: "eu", host: "web-1", hour: `${DAY}T${hour}` };
    const key = chunkPath({ ...place, chunk: i.toString(16).padStart(16, "0") });
    return { key, bytes: 1, etag: '"1"', rows: null, readBytes: 1, requests: 2 };
  })).map(({ place }) => place);
}

function sealed(hours: readonly number[], goneUntil: string | null = null): SealedHours {
  return {
    hours: hours.map((hour) => ({ stream: "logs", hour: `${DAY}T${hour}` })),
    openFromMs: Date.parse(`${DAY}T23:00:00Z`),
    goneUntilMs: goneUntil === null ? null : Date.parse(`${DAY}T${goneUntil}:00Z`),
  };
}

const span = (from: number, until: number) => ({
  from: `${DAY}T${from}:00:00.000Z`,
  until: `${DAY}T${until}:00:00.000Z`,
});
const ANY = { since: null, until: null };

Deno.test("hours that a host had sealed and the archive lacks are lacking, late chunks too", () => {
  assert.deepEqual(lackingHours(chunks(10, 12), sealed([10, 12])), []);
  assert.deepEqual(lackingHours(chunks(10), sealed([10, 11, 12, 14])), [
    span(11, 13),
    span(14, 15),
  ]);
  assert.deepEqual(lackingHours(chunks(10), sealed([10, 10])), [span(10, 11)]);
  const other = { ...sealed([]), hours: [{ stream: "api", hour: `${DAY}T10` }] };
  assert.deepEqual(lackingHours(chunks(10), other), [span(10, 11)]);
});

Deno.test("hours between others of which nobody has a chunk are absent, where nobody knows better", () => {
  assert.deepEqual(absentHours(chunks(10, 13, 14, 16), null, ANY), [span(11, 13), span(15, 16)]);
  assert.deepEqual(absentHours(chunks(10), sealed([13], "12:00"), ANY), [span(11, 12)]);
  assert.deepEqual(absentHours(chunks(10), sealed([13]), ANY), []); // it had nothing
  assert.deepEqual(absentHours([], null, ANY), []);
  const read = { since: `${DAY}T12:30:00Z`, until: `${DAY}T14:00:00Z` };
  assert.deepEqual(absentHours(chunks(10, 16), null, read), [span(12, 14)]);
});

Deno.test("stretches of hours are said in few words", () => {
  assert.equal(spansText([span(11, 13)]), "2026-11-22 11:00-13:00");
  const night = spansOf([`${DAY}T23`, "2026-11-23T00"]);
  assert.equal(spansText(night), "2026-11-22 23:00-2026-11-23 01:00");
  const many = spansOf(["01", "03", "05", "07", "08", "10"].map((hour) => `${DAY}T${hour}`));
  assert.match(spansText(many), /^2026-11-22 01:00-02:00, .* 05:00-06:00 and 3 h more$/);
});
