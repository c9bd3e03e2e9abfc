/** The scanner of layouts against the parsers of text: the same rows, whatever is in the lines. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { BatchMaker } from "../../../../../agent/ingest/batches.ts";
import { fillerOf, plainLines } from "../../../../../agent/ingest/line_form.ts";
import { recordRule } from "../../../../../agent/ingest/records.ts";
import type { Format } from "../../../../../agent/stream_format.ts";
import { LOG_FORMAT, SCANNABLE } from "./scannable_line.ts";
import { plainBatch } from "../plain_batch.ts";
import { times } from "../../../../harness/seed.ts";

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

Deno.test("scanned lines give the rows that the text parsers give", async (t) => {
  for (const { format, line } of SCANNABLE) {
    await t.step(JSON.stringify(format), () => {
      // Layouts are learned from lines that come again.
      const lines = fc.array(line, { minLength: 1, maxLength: 12 })
        .chain((kinds) => fc.array(fc.constantFrom(...kinds, ...kinds), { maxLength: 40 }));
      fc.assert(
        fc.property(lines, (lines) => {
          const file = fileOf(lines);
          assert.deepEqual(made(file, format, true), made(file, format, false));
        }),
        { numRuns: times(600) },
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
      }0 "x/${i}" 0.00${i} a=10.0.0.${i}:80 u=0.10${i + 1}`,
  );
  assert.equal(scanned(lines, LOG_FORMAT), 9);
});

Deno.test("forms that came once do not keep later ones from being scanned", () => {
  const once = Array.from({ length: 1_500 }, (_, i) => {
    const members = [...(i + 2_048).toString(2)].flatMap((bit, place) =>
      bit === "1" ? [`"k${place}":${i}`] : []
    );
    return `{${members.join(",")}}`;
  });
  const file = fileOf([...once, '{"a":1}', '{"a":2}', '{"a":3}']);
  const { rows } = made(file, "json", true);
  const layout = rows.at(-1)?.find(([name]) => name === "layout")?.[1];
  assert.equal(layout, '["{\\"a\\":",["a","whole"],"}"]');
});

Deno.test("what scans a file holds no rows between its blocks: thousands are followed", async () => {
  const form = plainLines("json");
  const members = Array.from({ length: 20 }, (_, i) => `"key${i}":"value ${i}"`);
  const file = fileOf(Array(1_000).fill(`{${members.join(",")}}`));
  const cut = { kind: "lines", consumed: file.length, offset: 0 } as const;
  const scanners: BatchMaker[] = [];
  const rows: WeakRef<object>[] = [];
  for (let i = 0; i < 200; i++) {
    const maker = new BatchMaker("0123456789abcdef", form, () => NOW_MS);
    scanners.push(maker);
    const batches = maker.batches({ cut, window: file, before: new Uint8Array() });
    for (const batch of batches) rows.push(new WeakRef(batch.rows));
    await new Promise((resolve) => setTimeout(resolve)); // only then may they be collected
  }
  Reflect.get(globalThis, "gc")?.(); // as free_native.ts does
  const held = rows.filter((ref) => ref.deref() !== undefined).length;
  assert(held < scanners.length / 2, `${held} rows of ${scanners.length} scanners`);
});
