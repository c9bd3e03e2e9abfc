/** The scanner of layouts against the parsers of text: the same rows, whatever is in the lines. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BatchMaker } from "../../../../../../agent/ingest/batches.ts";
import { fillerOf, plainLines } from "../../../../../../agent/ingest/line_form.ts";
import { recordRule } from "../../../../../../agent/ingest/records.ts";
import type { Format } from "../../../../../../agent/stream_format.ts";
import { plainBatch } from "../../plain_batch.ts";

const encoder = new TextEncoder();
const NOW_MS = 1_795_000_000_000;

/** Everything begins a record: the lines are the same, and none is scanned. */
const records = recordRule({ start: "^", max_lines: 1_000, quiet: 0 });

/** The rows, without what is NULL in them, and the rejects of a file. */
function made(file: Uint8Array, format: Format, isScanned: boolean) {
  const form = plainLines(format);
  const maker = new BatchMaker(
    "0123456789abcdef",
    isScanned ? form : { ...form, records },
    () => NOW_MS,
  );
  const cut = { kind: "lines", consumed: file.length, offset: 1_000 } as const;
  const batches = Array.from(
    maker.batches({ cut, window: file, before: new Uint8Array() }),
    plainBatch,
  );
  const rows = batches.flatMap(({ rows }) =>
    rows.ts.map((_, i) =>
      Object.entries(rows).map(([name, values]) => [name, values[i]] as const)
        .filter(([, value]) => value !== null && value !== undefined)
        .sort(([a], [b]) => a < b ? -1 : 1)
    )
  );
  return { rows, rejects: batches.flatMap(({ rejects }) => rejects) };
}

function fileOf(lines: readonly string[]): Uint8Array {
  return encoder.encode(lines.map((line) => `${line.replaceAll("\n", "")}\n`).join(""));
}

/** How many lines the scanner takes once it knows the layouts of all of them. */
function scanned(lines: readonly string[], format: Format): number {
  const form = plainLines(format);
  const filler = fillerOf(form, () => NOW_MS);
  const maker = new BatchMaker("0123456789abcdef", { ...form, records }, () => NOW_MS);
  const file = fileOf([...lines, ...lines, ...lines]);
  const cut = { kind: "lines", consumed: file.length, offset: 0 } as const;
  for (const _ of maker.batches({ cut, window: file, before: new Uint8Array() }));
  return lines.filter((line) => {
    const bytes = fileOf([line]);
    const rows = filler.newRows(1);
    rows.startOn(bytes);
    return (filler.scanner?.scan(rows, 0, bytes.length, 0) ?? 0) > 0;
  }).length;
}

const number = fc.oneof(
  fc.integer().map(String),
  fc.integer({ min: -9_999, max: 9_999_999 }).map((n) => String(n / 1_000)),
  fc.tuple(fc.nat(99_999), fc.integer({ min: 1, max: 9 })).map(([n, d]) => n.toFixed(d)),
  fc.constantFrom("-0", "0.0", "-0.0", "1e5", "01", "1.", ".5", "0.00001", "0.00010", "1.10"),
  fc.constantFrom("123456789012345", "1234567890123456", "9".repeat(30), "-12345678901234"),
);
const text = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z0-9 é😀.,:/-]{0,12}$/) },
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom('a"b', "a\\b", "tab\t", "line\nfeed", "\u0000", "\u007f", "/", "\ud800"),
);
const time = fc.oneof(
  fc.integer({ min: 0, max: 4e12 }).map((ms) => new Date(ms).toISOString()),
  fc.tuple(fc.nat(59), fc.nat(999_999)).map(([s, us]) =>
    `2026-11-23 10:00:${String(s).padStart(2, "0")}.${String(us).padStart(6, "0")}+01:00`
  ),
  fc.constantFrom("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.123456789Z", "2026-13-01", "soon"),
);
const value = fc.oneof(
  number,
  text.map((value) => JSON.stringify(value)),
  text.map((value) => `"${value}"`),
  fc.constantFrom("true", "false", "null", "{}", '{"a":[1,"}"]}', "[1,2]", "[1,2", '{"a":"\\""}'),
);
const timeMember = fc.oneof(
  time.map((value) => `"time":"${value}"`),
  fc.constantFrom("1790000000", "1790000000.123", "1790000000123", "179").map((n) => `"ts":${n}`),
);
const member = fc.tuple(fc.constantFrom("a", "b", "A", "msg", "host", "level"), value)
  .map(([key, value]) => `"${key}":${value}`);
const jsonLine = fc.tuple(
  fc.array(timeMember, { maxLength: 1 }),
  fc.array(member, { maxLength: 3 }),
  fc.constantFrom("", "", "", "\r", " ", "x"),
).map(([first, rest, end]) => `{${[...first, ...rest].join(",")}}${end}`);
const dockerLine = fc.tuple(text, fc.boolean(), time).map(([text, isWhole, time]) =>
  `{"log":${JSON.stringify(isWhole ? `${text}\n` : text)},"stream":"stdout","time":"${time}"}`
);

const pair = fc.tuple(
  fc.constantFrom("a", "b", "A", "msg", "host", "é"),
  fc.oneof(
    number,
    fc.constantFrom("true", "false", "", "a=b", "a\u00a0b", "12ms", "a\\b", '"', "-"),
    fc.stringMatching(/^[a-zé/.:-]{1,8}$/),
    text.map((value) => `"${value}"`),
    text.map((value) => JSON.stringify(value)),
  ),
).map(([key, value]) => `${key}=${value}`);
const logfmtLine = fc.tuple(
  fc.array(time.map((value) => `time=${value}`), { maxLength: 1 }),
  fc.array(fc.oneof({ weight: 5, arbitrary: pair }, fc.constantFrom("alone", "")), {
    maxLength: 4,
  }),
  fc.constantFrom("", "", "", "\r", " "),
).map(([first, rest, end]) => `${[...first, ...rest].join(" ")}${end}`);

const LOG_FORMAT = {
  nginx:
    '$remote_addr [$time_local] "$request" $status $bytes_sent "$http_user_agent" $request_time u=$upstream_response_time',
};
const word = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-z0-9.é]{0,9}$/) },
  fc.string({ unit: "binary", maxLength: 5 }),
);
const logFormatLine = fc.tuple(
  word,
  fc.nat(59),
  fc.oneof(word, word.map((target) => `GET /${target} HTTP/1.1`), fc.constant("GET /a b HTTP/2")),
  fc.oneof(number, fc.constant("200")),
  fc.oneof(number, fc.constant("-")),
  word,
  fc.oneof(number, fc.constantFrom("-", "0.123", "123456.789")),
  fc.oneof(number, fc.constantFrom("-", "0.001, 0.002", "0.100", "\r")),
).map(([addr, s, request, status, bytes, agent, took, upstream]) =>
  `${addr} [23/Nov/2026:10:00:${
    String(s).padStart(2, "0")
  } +0000] "${request}" ${status} ${bytes} "${agent}" ${took} u=${upstream}`
);

const kinds = [
  { format: "json" as Format, line: jsonLine },
  { format: "docker" as Format, line: dockerLine },
  { format: "logfmt" as Format, line: logfmtLine },
  { format: LOG_FORMAT as Format, line: logFormatLine },
];

Deno.test("scanned lines give the rows that the text parsers give", async (t) => {
  for (const { format, line } of kinds) {
    await t.step(JSON.stringify(format), () => {
      // Layouts are learned from lines that come again.
      const lines = fc.array(line, { minLength: 1, maxLength: 12 })
        .chain((kinds) => fc.array(fc.constantFrom(...kinds, ...kinds), { maxLength: 40 }));
      fc.assert(
        fc.property(lines, (lines) => {
          const file = fileOf(lines);
          assert.deepEqual(made(file, format, true), made(file, format, false));
        }),
        { numRuns: 600 },
      );
    });
  }
});

Deno.test("values vary and the layout stays: such lines are scanned", () => {
  const json = Array.from({ length: 9 }, (_, i) =>
    JSON.stringify({
      time: `2026-11-23T10:00:0${i}.${i}01Z`,
      level: i % 2 === 0 ? "info" : "error",
      msg: `served ${i}`,
      took_ms: i + 0.25,
      n: -i - 1,
      ok: i > 3,
      user: { id: i },
    }));
  assert.equal(scanned(json, "json"), 9);
  const escaped = json.map((line) => line.replace("served", 'say \\"x\\"'));
  assert.equal(scanned(escaped, "json"), 9);
  const timeless = json.map((line) => line.replace(/"time":"[^"]*",/, ""));
  assert.equal(scanned(timeless, "json"), 9);
  const logfmt = Array.from(
    { length: 9 },
    (_, i) =>
      `time=2026-11-23T10:00:0${i}Z level=info msg="served ${i}" user=u${i} n=${i} took=0.${i + 1}`,
  );
  assert.equal(scanned(logfmt, "logfmt"), 9);
  const lines = Array.from(
    { length: 9 },
    (_, i) =>
      `10.0.0.${i} [23/Nov/2026:10:00:0${i} +0000] "GET /${i} HTTP/1.1" 200 ${
        i + 1
      }0 "x/${i}" 0.00${i} u=0.10${i + 1}`,
  );
  assert.equal(scanned(lines, LOG_FORMAT), 9);
});
