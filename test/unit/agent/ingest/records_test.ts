import { plainLines } from "../../../../agent/ingest/line_form.ts";
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { LINE_BYTES_MAX, LineCutter, WINDOW_BYTES } from "../../../../agent/ingest/blocks.ts";
import { recordRule } from "../../../../agent/ingest/records.ts";
import { eventually } from "../../../harness/eventually.ts";
import { jsonLine } from "../../../harness/lines.ts";
import { append, assertAll, bench } from "./tail_scene.ts";

const MULTILINE = { start: "^\\{", max_lines: 1_000, quiet: 100 };

/** A log line as JSON over many lines. */
function pretty(number: number): string {
  return `${JSON.stringify(JSON.parse(jsonLine(number)), null, 2)}\n`;
}

function many(count: number, first = 0): string {
  return Array.from({ length: count }, (_, i) => pretty(first + i)).join("");
}

Deno.test("JSON over many lines becomes rows, with its line feeds, its place and length", async () => {
  await using b = await bench();
  await append(b.path, many(50));
  await using _tail = await b.start({ multiline: MULTILINE });
  assertAll(b.sink, 50);
  let offset = 0;
  for (const [i, kept] of b.sink.kept().entries()) {
    const text = pretty(i);
    assert.deepEqual([kept.offset, kept.length, `${kept.text}\n`], [offset, text.length, text]);
    offset += text.length;
  }
});

Deno.test("a record is read once it is over: by the next one, or when nothing more comes", async () => {
  await using b = await bench();
  await using tail = await b.start({ multiline: { ...MULTILINE, quiet: 3_600_000 } });
  const whole = pretty(1);
  await append(b.path, pretty(0) + whole.slice(0, 20));
  await eventually(() => b.sink.lines === 1);
  await append(b.path, whole.slice(20));
  await append(b.path, pretty(2));
  await eventually(() => b.sink.lines === 2);
  assert.ok(tail.isCaughtUp());
  await tail[Symbol.asyncDispose]();
  await using _next = await b.start({ multiline: MULTILINE });
  assertAll(b.sink, 3);
});

Deno.test("a record that a kill cut is read again whole", async () => {
  await using b = await bench();
  {
    await using tail = b.begin({ multiline: { ...MULTILINE, quiet: 3_600_000 } });
    await append(b.path, many(5) + pretty(5).slice(0, 30));
    await eventually(() => b.sink.lines === 5);
    await b.sink.flush();
    assert.ok(tail.behind().bytes > 0);
  }
  b.sink.crash();
  await append(b.path, pretty(5).slice(30) + many(5, 6));
  await using _tail = await b.start({ multiline: MULTILINE });
  assertAll(b.sink, 11);
});

Deno.test("lines before the first record are a record of their own, a reject", async () => {
  await using b = await bench();
  await append(b.path, `rest of something\nthat is gone\n${many(2)}`);
  await using _tail = await b.start({ multiline: MULTILINE });
  const [first, ...others] = b.sink.kept();
  assert.equal(first?.text, "rest of something\nthat is gone");
  assert.equal(first?.reason, "no_format");
  assert.equal(others.length, 2);
});

/** Cuts a text that grows by pieces, as a tail sees it, into records. */
function recordsOf(pieces: readonly string[], linesMax = 1_000): string[] {
  const records = recordRule({ start: "^S", max_lines: linesMax, quiet: 0 });
  const maker = new BatchMaker("g", { ...plainLines("combined"), records }, () => 0);
  const cutter = new LineCutter(0, records);
  const found: string[] = [];
  let window: Uint8Array = new Uint8Array();
  const cut = (final: boolean) => {
    for (;;) {
      const part = cutter.cut(window.subarray(0, WINDOW_BYTES), final);
      if (part.consumed === 0) return;
      if (part.kind !== "more") {
        for (const batch of maker.batches({ cut: part, window, before: new Uint8Array() })) {
          for (const { line } of batch.rejects) found.push(new TextDecoder().decode(line));
        }
      }
      window = window.slice(part.consumed);
    }
  };
  for (const piece of pieces) {
    const bytes = new TextEncoder().encode(piece);
    const joined = new Uint8Array(window.length + bytes.length);
    joined.set(window);
    joined.set(bytes, window.length);
    window = joined;
    cut(false);
  }
  cut(true);
  return found;
}

Deno.test("records are the same however the bytes come", () => {
  const line = fc.constantFrom("S\n", "Sa\n", "b\n", "\n", "é\r\n", " S\n");
  fc.assert(fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
    const text = lines.join("");
    const wanted = text === "" ? [] : text.replace(/\n$/, "").split(/\n(?=S)/);
    const places = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length];
    const pieces = places.slice(1).map((end, i) => text.slice(places[i], end));
    assert.deepEqual(recordsOf(pieces), wanted);
  }));
});

Deno.test("a record of too many lines, or of too many bytes, is cut at a line's end", () => {
  assert.deepEqual(recordsOf(["S\na\nb\nc\nS\n"], 3), ["S\na\nb", "c", "S"]);
  const half = "x".repeat(LINE_BYTES_MAX / 2 + 10);
  assert.deepEqual(recordsOf([`S${half}\n${half}\nS\n`]).map(({ length }) => length), [
    half.length + 1,
    half.length,
    1,
  ]);
});
