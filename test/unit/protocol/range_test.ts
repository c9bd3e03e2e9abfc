import assert from "node:assert/strict";
import { describeRange, parseRange } from "../../../protocol/range.ts";
import type { RangeText } from "../../../protocol/range.ts";

const NOW_MS = Date.parse("2026-11-22T19:30:00.000Z");

function check(text: RangeText, since: string | null, until: string | null, words: string) {
  const range = parseRange(text, NOW_MS);
  assert.deepEqual([range.since, range.until], [since, until]);
  assert.equal(range.implied, text.since === undefined);
  assert.equal(describeRange(range, NOW_MS), words);
}

Deno.test("a range is read back from now, from dates and from instants", () => {
  check({}, "2026-11-21T19:30:00.000Z", null, "last 24 h");
  check({ since: "15m" }, "2026-11-22T19:15:00.000Z", null, "last 15 m");
  check({ since: "all" }, null, null, "all time");
  check({ since: "2026-11-22" }, "2026-11-22T00:00:00.000Z", null, "last 20 h");
  check(
    { since: "2026-11-22T18:00", until: "2026-11-22 19:00:00" },
    "2026-11-22T18:00:00.000Z",
    "2026-11-22T19:00:00.000Z",
    "2026-11-22T18:00:00Z to 2026-11-22T19:00:00Z",
  );
  check(
    { since: "all", until: "2026-11-22T20:00:00+01:00" },
    null,
    "2026-11-22T19:00:00.000Z",
    "until 2026-11-22T19:00:00Z",
  );
});

Deno.test("a range that cannot be meant is refused with the forms that can", () => {
  assert.throws(() => parseRange({ since: "yesterday" }, NOW_MS), /--since yesterday: wanted 15m/);
  assert.throws(() => parseRange({ until: "all" }, NOW_MS), /--until all: wanted/);
  assert.throws(() => parseRange({ since: "1h", until: "2h" }, NOW_MS), /is not before --until/);
});
