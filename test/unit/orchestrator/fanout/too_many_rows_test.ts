/** too_many_rows.ts: the designed message, to the letter. */
import assert from "node:assert/strict";
import { tooManyRows, whyRows } from "../../../../orchestrator/fanout/too_many_rows.ts";
import type { HostRows } from "../../../../orchestrator/fanout/too_many_rows.ts";

const LIMITS = { timeout_ms: 30_000, rows_max: 100_000, bytes_max: 64e6 };
const DAY_MS = 86_400_000;
const REASON = "string_agg(request) at 1:8 cannot be merged from partial results";

/** Rows of hosts that make up the given totals, the last one alone in its region. */
function fleet(rows: number, bytes: number, last: HostRows): HostRows[] {
  const others = Array.from({ length: 399 }, () => ({
    region: "us-east-1",
    rows: (rows - last.rows) / 399,
    bytes: (bytes - last.bytes) / 399,
  }));
  return [...others, last];
}

Deno.test("too many rows: how many, why, and what to do", () => {
  const heard = fleet(5_021_312, 1.1e9, { region: "eu-west-1", rows: 9_000, bytes: 2e6 });
  const error = tooManyRows({
    hostCount: 400,
    heard,
    limits: LIMITS,
    reason: REASON,
    rangeMs: DAY_MS,
  });
  assert.equal(error.code, "too_many_rows");
  assert.equal(
    error.message,
    `
Too many rows: about 5021000 (1.1 GB) from 400 hosts; the cap is 100000 rows or 64 MB.
  Why rows: string_agg(request) at 1:8 cannot be merged from partial results.
  Narrow:   --since 15m (about 52000 rows) or --on 'region = eu-west-1'
  Or export: -o parquet --max-bytes 2GB > rows.parquet`.slice(1),
  );
});

Deno.test("hosts that did not say how much count like the others", () => {
  const error = tooManyRows({
    hostCount: 4,
    heard: [{ region: "a", rows: 100_000, bytes: 0 }, { region: "a", rows: 300_000, bytes: 0 }],
    limits: LIMITS,
    reason: null,
    rangeMs: null,
  });
  assert.equal(
    error.message,
    `
Too many rows: about 800000 from 4 hosts; the cap is 100000 rows or 64 MB.
  Or export: -o parquet --max-bytes 100MB > rows.parquet`.slice(1),
  );
});

Deno.test("no range is suggested that would still be too large", () => {
  const heard = [{ region: "a", rows: 1e9, bytes: 0 }, { region: "b", rows: 1e9, bytes: 0 }];
  const facts = { hostCount: 2, heard, limits: LIMITS, reason: null, rangeMs: DAY_MS };
  assert.doesNotMatch(tooManyRows(facts).message, /Narrow/);
});

Deno.test("when the bytes ran over, only that is said", () => {
  const facts = { hostCount: 1, heard: [], limits: LIMITS, reason: REASON, rangeMs: DAY_MS };
  assert.match(
    tooManyRows(facts).message,
    /^Too many rows: more than 64 MB from 1 host; the cap is 100000 rows or 64 MB\.\n {2}Why rows/,
  );
});

Deno.test("groups and values that are too many have a reason and a way out too", () => {
  const groups = whyRows({ mode: "aggregate", reason: null });
  assert.match(groups ?? "", /exact distinct counts .*approx_count_distinct/);
  assert.equal(whyRows({ mode: "rows", reason: REASON }), REASON);
  assert.equal(whyRows({ mode: "top_k", reason: null }), null);
});
