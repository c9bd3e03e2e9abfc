/** Units: durations and sizes as people write and read them. */
import assert from "node:assert/strict";
import {
  counted,
  formatBytes,
  formatDurationMs,
  parseBytes,
  parseDurationMs,
} from "../../../protocol/units.ts";

Deno.test("durations are read as milliseconds", () => {
  const check = (text: string, expected: number) => assert.equal(parseDurationMs(text), expected);
  check("250ms", 250);
  check("10s", 10_000);
  check("1.5 s", 1_500);
  check(" 15m ", 900_000);
  check("24h", 86_400_000);
  check("7d", 604_800_000);
  for (const text of ["", "10", "s", "-1s", "1w", "1s2"]) {
    assert.throws(() => parseDurationMs(text), {
      code: "usage",
      message: /: wanted a duration, e/,
    });
  }
});

Deno.test("sizes are read as bytes", () => {
  const check = (text: string, expected: number) => assert.equal(parseBytes(text), expected, text);
  check("0", 0);
  check("512", 512);
  check("512B", 512);
  check("64MB", 64_000_000);
  check("1.5 gb", 1_500_000_000);
  check("2T", 2e12);
  check("512KiB", 524_288);
  check("4Mi", 4_194_304);
  for (const text of ["", "MB", "-1MB", "1PB", "1 MB 2"]) {
    assert.throws(() => parseBytes(text), {
      code: "usage",
      message: /: wanted a size, e.g. 512KiB/,
    });
  }
});

Deno.test("the error names the flag", () => {
  const message = "--timeout 1: wanted a duration, e.g. 250ms, 30s, 5m";
  assert.throws(() => parseDurationMs("1", "--timeout"), { message });
  assert.throws(() => parseDurationMs("", "--timeout"), { message: /^--timeout "": wanted/ });
  assert.throws(() => parseBytes("x", "--max-bytes"), { message: /^--max-bytes x: wanted a size/ });
});

Deno.test("one thing is singular", () => {
  assert.deepEqual([0, 1, 2].map((n) => counted(n, "row")), ["0 rows", "1 row", "2 rows"]);
});

Deno.test("bytes are shown in powers of ten", () => {
  const check = (bytes: number, expected: string) => assert.equal(formatBytes(bytes), expected);
  check(0, "0 B");
  check(812, "812 B");
  check(1_500, "1.5 KB");
  check(64_000, "64 KB");
  check(400_000, "0.4 MB");
  check(91_000_000, "91 MB");
  check(2_100_000_000, "2.1 GB");
  check(3_000_000_000_000, "3.0 TB");
});

Deno.test("spans of time are shown in one unit", () => {
  const check = (ms: number, expected: string) => assert.equal(formatDurationMs(ms), expected);
  check(31.2, "31 ms");
  check(1_300, "1.3 s");
  check(2_000, "2 s");
  check(59_000, "59 s");
  check(900_000, "15 m");
  check(86_400_000, "24 h");
  check(604_800_000, "7 d");
});
