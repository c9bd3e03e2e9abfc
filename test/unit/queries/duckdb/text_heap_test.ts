import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { TextHeap } from "../../../../queries/duckdb/text_heap.ts";
import { TextColumn } from "../../../../queries/duckdb/typed_columns.ts";

Deno.test("texts come back as they were added, whatever they are made of, beside the block's own", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 300 })), (texts) => {
      const heap = new TextHeap();
      heap.block = new TextEncoder().encode("GET /index.html HTTP/1.1");
      const column = new TextColumn(heap, texts.length + 1);
      for (const [row, text] of texts.entries()) column.set(row, text);
      column.setStretch(texts.length, 4, 11);
      assert.deepEqual(texts.map((_, row) => column.text(row)), texts);
      assert.equal(column.text(texts.length), "/index.html");
    }),
  );
});

Deno.test("halves of surrogate pairs become valid UTF-8", () => {
  const heap = new TextHeap();
  const column = new TextColumn(heap, 1);
  column.set(0, "a\ud800b");
  assert.equal(column.text(0), "a\ufffdb");
});

Deno.test("the room of long texts is given back, that of usual ones is used again", () => {
  const heap = new TextHeap();
  heap.add("x".repeat(100_000));
  const usual = heap.added;
  heap.clear();
  assert.equal(heap.added, usual);
  heap.add("x".repeat(5_000_000));
  heap.clear();
  assert.equal(heap.added.length, 0);
});
