import assert from "node:assert/strict";
import { Tally } from "../../../../agent/account/tally.ts";
import { batch, GENERATION, HOUR_MS, START_MS } from "../store/scene.ts";

Deno.test("every line of a batch is counted once, in the hour of its event and by its fate", () => {
  const tally = new Tally();
  const us = (ms: number) => BigInt(ms) * 1_000n;
  const line = new Uint8Array();
  tally.add("logs", {
    ...batch(0, 5, (line) => START_MS + line * HOUR_MS / 2),
    rejects: [
      { ts: us(START_MS), reason: "no_format", line, line_offset: 50, length: 7 },
      { ts: us(START_MS + HOUR_MS), reason: "too_long", line, line_offset: 57, length: 2_000_000 },
    ],
    dropped: { ts: [us(START_MS), us(START_MS)], rule: ["health", "health"], line_length: [3, 4] },
  });
  tally.add("logs", batch(5, 1, () => START_MS));
  const of = (hour: string, outcome: string, reason: string, lines: number, bytes: number) => ({
    stream: "logs",
    generation: GENERATION.id,
    hour: `2026-11-22T${hour}`,
    outcome,
    reason,
    lines,
    bytes,
  });
  assert.deepEqual(tally.entries(), [
    of("18", "stored", "", 3, 30),
    of("19", "stored", "", 2, 20),
    of("20", "stored", "", 1, 10),
    of("18", "rejected", "no_format", 1, 7),
    of("19", "rejected", "too_long", 1, 2_000_000),
    of("18", "dropped", "health", 2, 7),
  ]);
  tally.clear();
  assert.deepEqual(tally.entries(), []);
});

Deno.test("hours before 1970 and at the edges are those of the calendar", () => {
  const tally = new Tally();
  for (const ms of [-1, 0, HOUR_MS - 1, HOUR_MS]) tally.add("logs", batch(0, 1, () => ms));
  assert.deepEqual(tally.entries().map(({ hour, lines }) => [hour, lines]), [
    ["1969-12-31T23", 1],
    ["1970-01-01T00", 2],
    ["1970-01-01T01", 1],
  ]);
});
