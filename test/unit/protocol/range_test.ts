import assert from "node:assert/strict";
import { parseRange, rangeInWords } from "../../../protocol/range.ts";
import type { RangeText } from "../../../protocol/range.ts";

const NOW_MS = Date.parse("2026-11-22T19:30:00.123Z");

function check(text: RangeText, since: string | null, until: string | null, words: string) {
  const range = parseRange(text, NOW_MS);
  assert.deepEqual([range.since, range.until], [since, until]);
  assert.equal(range.implied, text.since === undefined);
  assert.equal(rangeInWords(text, range), words);
}

Deno.test("a range is read back from now, from dates and from instants, and said as it was asked", () => {
  check({}, "2026-11-21T19:30:00.123Z", null, "last 24 h");
  check({ since: "15m" }, "2026-11-22T19:15:00.123Z", null, "last 15 m");
  check({ since: "90m" }, "2026-11-22T18:00:00.123Z", null, "last 90 m");
  check({ since: "all" }, null, null, "all time");
  check({ since: "2026-11-22" }, "2026-11-22T00:00:00.000Z", null, "since 2026-11-22T00:00Z");
  check(
    { since: "2026-11-22T18:00", until: "2026-11-22 19:00:01" },
    "2026-11-22T18:00:00.000Z",
    "2026-11-22T19:00:01.000Z",
    "2026-11-22T18:00Z to 2026-11-22T19:00:01Z",
  );
  check(
    { since: "all", until: "2026-11-22T20:00:00.5+01:00" },
    null,
    "2026-11-22T19:00:00.500Z",
    "until 2026-11-22T19:00:00.500Z",
  );
  check(
    { since: "2h", until: "1h" },
    "2026-11-22T17:30:00.123Z",
    "2026-11-22T18:30:00.123Z",
    "2 h ago to 1 h ago",
  );
  check(
    { until: "2026-11-20" },
    "2026-11-19T00:00:00.000Z",
    "2026-11-20T00:00:00.000Z",
    "24 h until 2026-11-20T00:00Z",
  );
});

Deno.test("where the SQL bounds the time itself, the words say so", () => {
  assert.equal(rangeInWords({}, { since: null, until: null }), "time as in WHERE");
});

Deno.test("a range that cannot be meant is refused with the forms that can", () => {
  const refused = (text: RangeText, message: string | RegExp) =>
    assert.throws(() => parseRange(text, NOW_MS), { code: "usage", message });
  for (
    const since of ["yesterday", "-5m", "5 parsecs", "2026-02-31", "2026-11-22T25:00", "30000d"]
  ) {
    refused({ since }, new RegExp(`^--since ${since}: wanted 15m, 24h, .* or all$`));
  }
  refused({ until: "all" }, /^--until all: wanted/);
});

Deno.test("a range that holds nothing is refused", () => {
  const refused = (text: RangeText, message: string) =>
    assert.throws(() => parseRange(text, NOW_MS), { code: "usage", message });
  refused({ since: "0m" }, "--since 0m: wanted a time in the past, e.g. 15m");
  refused({ since: "2026-11-23" }, "--since 2026-11-23: wanted a time in the past, e.g. 15m");
  refused({ since: "1h", until: "2h" }, "--since 1h is not before --until 2h");
  refused({ since: "1h", until: "1h" }, "--since 1h is not before --until 1h");
});
