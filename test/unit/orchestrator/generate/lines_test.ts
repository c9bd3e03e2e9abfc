import assert from "node:assert/strict";
import { generateLines } from "../../../../orchestrator/generate/lines.ts";
import type { LinesOptions } from "../../../../orchestrator/generate/lines.ts";

const DAY_MS = 86_400_000;
const OPTIONS: LinesOptions = {
  seed: 1,
  count: 100_000,
  startMs: Date.UTC(2024, 2, 1),
  endMs: Date.UTC(2024, 2, 1) + DAY_MS,
  format: "json",
};

interface Line {
  remote_addr: string;
  time_local: string;
  http_method: string;
  request: string;
  status: number;
  body_bytes_sent: number;
  http_referer: string;
}

const lines: Line[] = [...generateLines(OPTIONS)].map((line) => JSON.parse(line));

/** Occurrences of each value, the most frequent first. */
function counts<T>(values: readonly T[]): [T, number][] {
  const byValue = new Map<T, number>();
  for (const value of values) byValue.set(value, (byValue.get(value) ?? 0) + 1);
  return [...byValue].toSorted((a, b) => b[1] - a[1]);
}

function percent<T>(values: readonly T[], wanted: T): number {
  return 100 * values.filter((value) => value === wanted).length / values.length;
}

function near(actual: number, expected: number, tolerance: number) {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);
}

Deno.test("the same seed gives the same lines, another seed others", () => {
  const options = { ...OPTIONS, count: 50, format: "combined" as const };
  assert.deepEqual([...generateLines(options)], [...generateLines(options)]);
  assert.notDeepEqual([...generateLines(options)], [...generateLines({ ...options, seed: 2 })]);
});

Deno.test("status, method and referer have the shares of a large public site", () => {
  const statuses = lines.map((line) => line.status);
  near(percent(statuses, 200), 92.4, 0.3);
  near(percent(statuses, 304), 3.28, 0.2);
  near(percent(statuses, 404), 1.01, 0.1);
  near(percent(statuses, 500), 0.14, 0.05);
  const methods = lines.map((line) => line.http_method);
  near(percent(methods, "GET"), 98.3, 0.15);
  near(percent(methods, "POST"), 1.34, 0.15);
  near(percent(lines.map((line) => line.http_referer), "-"), 15.9, 0.4);
});

Deno.test("sizes have its mean, median, third quartile and maximum", () => {
  const bytes = lines.map((line) => line.body_bytes_sent).toSorted((a, b) => a - b);
  near(bytes.reduce((sum, n) => sum + n, 0) / bytes.length, 12_433, 700);
  near(bytes[bytes.length / 2] ?? 0, 4_120, 150);
  near(bytes[bytes.length * 3 / 4] ?? 0, 11_551, 400);
  assert((bytes.at(-1) ?? 0) <= 1_250_000);
});

Deno.test("few addresses and paths have much of the traffic, and many have little", () => {
  const addresses = counts(lines.map((line) => line.remote_addr));
  near(100 * (addresses[0]?.[1] ?? 0) / lines.length, 3.4, 0.3);
  assert(addresses.length > 20_000, `${addresses.length} addresses`);
  const paths = counts(lines.map((line) => line.request));
  assert(paths.length > 5_000, `${paths.length} paths`);
  assert((paths[0]?.[1] ?? 0) > lines.length / 50);
});

Deno.test("the busiest hour has ten times the quietest, and times rise", () => {
  const hours = counts(lines.map((line) => line.time_local.slice(11, 13)));
  assert.equal(hours.length, 24);
  near((hours[0]?.[1] ?? 0) / (hours.at(-1)?.[1] ?? 1), 10, 1);
  const times = lines.map((line) => line.time_local);
  assert.deepEqual(times, times.toSorted());
  assert(times[0]?.startsWith("2024-03-01T00:"));
});
