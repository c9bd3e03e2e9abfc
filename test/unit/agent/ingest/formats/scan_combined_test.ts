/** The scanner of bytes against the parser of text: the same rows, whatever is in the lines. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { BatchMaker } from "../../../../../agent/ingest/batches.ts";
import type { AccessFormat } from "../../../../../agent/ingest/formats/combined.ts";
import { CombinedScanner } from "../../../../../agent/ingest/formats/scan_combined.ts";
import { plainLines } from "../../../../../agent/ingest/line_form.ts";
import { recordRule } from "../../../../../agent/ingest/records.ts";
import { newAccessRows } from "../../../../../agent/store/rows/rows.ts";
import { anyLine, combinedLines, generatedLines } from "../any_line.ts";
import { plainBatch } from "../plain_batch.ts";
import { times } from "../../../../harness/seed.ts";

const encoder = new TextEncoder();

/** Everything begins a record: the lines are the same, and none is scanned. */
const records = recordRule({ start: "^", max_lines: 1_000, quiet: 0 });

/** The rows and rejects of a file. */
function made(file: Uint8Array, form = plainLines("auto")) {
  const maker = new BatchMaker("0123456789abcdef", form, () => 0);
  const cut = { kind: "lines", consumed: file.length, offset: 1_000 } as const;
  const batches = Array.from(
    maker.batches({ cut, window: file, before: new Uint8Array() }),
    plainBatch,
  );
  const rows = batches.flatMap(({ rows }) =>
    rows.ts.map((_, i) => Object.values(rows).map((column) => column[i]))
  );
  return { rows, rejects: batches.flatMap(({ rejects }) => rejects) };
}

function fileOf(lines: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(lines.flatMap((line) => [...line, 0x0a]));
}

/** How many of the lines the scanner takes, one by one. */
function scanned(lines: readonly string[], format: AccessFormat = "either"): number {
  const scanner = new CombinedScanner(format);
  return lines.filter((line) => {
    const bytes = encoder.encode(`${line}\n`);
    const rows = newAccessRows(1);
    rows.startOn(bytes);
    return scanner.scan(rows, 0, bytes.length, 0) > 0;
  }).length;
}

Deno.test("scanned lines give the rows that the text parser gives", () => {
  fc.assert(
    fc.property(
      fc.array(anyLine, { maxLength: 30 }),
      fc.boolean(),
      fc.constantFrom("auto", "combined", "common"),
      (lines, isOpen, format) => {
        const file = fileOf(lines);
        const whole = isOpen ? file.subarray(0, file.length - 1) : file;
        const form = plainLines(format);
        assert.deepEqual(made(whole, form), made(whole, { ...form, records }));
      },
    ),
    { numRuns: times(1_000) },
  );
});

Deno.test("the lines of servers are scanned, with a request time and without", () => {
  for (const format of ["combined", "combined_time"] as const) {
    const lines = [...generatedLines(format)];
    assert.equal(scanned(lines), lines.length);
  }
});

Deno.test("common lines are scanned, with or without a size, unless combined ones are wanted", () => {
  const lines = combinedLines.map((line) => line.slice(0, line.indexOf(' "', 60)));
  assert.match(lines[0] ?? "", / 200 1234$/);
  const unsized = lines.map((line) => line.replace(/ \d+$/, " -"));
  assert.equal(scanned([...lines, ...unsized]), 4);
  assert.equal(scanned([...lines, ...unsized], "common"), 4);
  assert.equal(scanned([...lines, ...unsized], "combined"), 0);
  assert.equal(scanned(combinedLines, "common"), 0);
});

Deno.test("lines that another parser must read are left to it", () => {
  const [line = ""] = combinedLines;
  assert.equal(scanned([line]), 1);
  const left = [
    `${line}\r`,
    ` ${line}`,
    `{${line}`,
    line.replace(" - - ", " ident - "),
    line.replace("+0000", "-0000"),
    line.replace("GET /", "GET /a b"),
    line.replace("GET /", 'GET /\\"'),
    line.replace("HTTP/", "HTTQ/"),
    line.replace(" 200 ", " 099 "),
    line.replace(" 1234 ", " 01234 "),
    line.replace(" 1234 ", " 1234567890123456 "),
    `${line} 00.100`,
    `${line} 0.1`,
    `${line} 0.100 more`,
  ];
  assert.equal(scanned(left), 0);
});

Deno.test("one line that is no UTF-8 does not send its neighbours the slow way", () => {
  const lines = combinedLines.map((line) => encoder.encode(line));
  const file = fileOf([...lines, Uint8Array.of(0xff), ...lines]);
  const { rows, rejects } = made(file);
  assert.equal(rows.length, 2 * lines.length);
  assert.equal(rejects.length, 1);
});
