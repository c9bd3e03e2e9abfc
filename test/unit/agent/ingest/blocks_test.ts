import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { LINE_BYTES_MAX, LineCutter, WINDOW_BYTES } from "../../../../agent/ingest/blocks.ts";

interface Piece {
  kind: "lines" | "reject";
  offset: number;
  length: number;
  reason?: string;
  kept?: number;
}

/** Cuts content that is offered in windows of at most `offered` bytes, as a reader does. */
function cutAll(content: Uint8Array, offered = WINDOW_BYTES): Piece[] {
  const cutter = new LineCutter(0);
  const pieces: Piece[] = [];
  let position = 0;
  let size = offered;
  for (;;) {
    const window = content.subarray(position, position + Math.min(size, WINDOW_BYTES));
    const cut = cutter.cut(window, position + window.length === content.length);
    position += cut.consumed;
    if (cut.kind === "lines") {
      pieces.push({ kind: cut.kind, offset: cut.offset, length: cut.consumed });
    }
    if (cut.kind === "reject") {
      const { kind, offset, length, reason, line } = cut;
      pieces.push({ kind, offset, length, reason, kept: line.length });
    }
    if (position === content.length && cut.consumed === 0) return pieces;
    size = cut.consumed === 0 ? size + offered : offered;
  }
}

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("a line over the limit is cut and rejected with its length, and the file goes on", () => {
  const long = "x".repeat(3 * LINE_BYTES_MAX);
  assert.deepEqual(cutAll(text(`before\n${long}\nafter\n`)), [
    { kind: "lines", offset: 0, length: 7 },
    {
      kind: "reject",
      offset: 7,
      length: long.length + 1,
      reason: "too_long",
      kept: LINE_BYTES_MAX,
    },
    { kind: "lines", offset: 7 + long.length + 1, length: 6 },
  ]);
});

Deno.test("a line of exactly the limit is a line, one byte more is not", () => {
  const limit = "x".repeat(LINE_BYTES_MAX);
  assert.deepEqual(cutAll(text(`${limit}\n`)).map((piece) => piece.kind), ["lines"]);
  assert.deepEqual(cutAll(text(`${limit}x\n`)).map((piece) => piece.kind), ["reject"]);
  assert.deepEqual(cutAll(text(`${limit}x`)).map((piece) => piece.kind), ["reject"]);
});

Deno.test("zero bytes that a truncation left at a file's start are a reject of their own", () => {
  const hole = new Uint8Array(5 * LINE_BYTES_MAX + 17);
  const content = new Uint8Array(hole.length + 5);
  content.set(text("line\n"), hole.length);
  assert.deepEqual(cutAll(content), [
    { kind: "reject", offset: 0, length: hole.length, reason: "zero_bytes", kept: 0 },
    { kind: "lines", offset: hole.length, length: 5 },
  ]);
  assert.deepEqual(cutAll(text("\0\0line\n")), [{ kind: "lines", offset: 0, length: 7 }]);
});

Deno.test("pieces join without gap or overlap, however the bytes are offered", () => {
  const content = fc.array(fc.constantFrom("a", "bc\n", "\n", "\0".repeat(3_000), "é\r\n"), {
    maxLength: 60,
  }).map((parts) => text(parts.join("")));
  fc.assert(fc.property(content, fc.integer({ min: 1, max: 5_000 }), (bytes, offered) => {
    let end = 0;
    for (const piece of cutAll(bytes, offered)) {
      assert.equal(piece.offset, end);
      end += piece.length;
    }
    assert.equal(end, bytes.length);
  }));
});
