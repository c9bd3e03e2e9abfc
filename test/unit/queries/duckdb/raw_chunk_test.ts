import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { canPoint, pointer } from "../../../../queries/duckdb/raw_chunk.ts";
import { TextHeap } from "../../../../queries/duckdb/text_heap.ts";
import { IntegerColumn, TextColumn, WideColumn } from "../../../../queries/duckdb/typed_columns.ts";
import { CHUNK_ROWS } from "../../../../queries/duckdb/types.ts";
import { times } from "../../../harness/seed.ts";

const TABLE = {
  text: "VARCHAR",
  bytes: "BLOB",
  ts: "TIMESTAMP",
  wide: "BIGINT",
  narrow: "INTEGER",
  small: "SMALLINT",
  nothing: "VARCHAR",
};

/** A row: a stretch of the block or a text of its own, and numbers; null is NULL. */
interface Row {
  stretch: { start: number; length: number } | null;
  text: string | null;
  wide: bigint | null;
  narrow: number | null;
}

const BLOCK = new TextEncoder().encode(
  "0123456789abcdefghijklmnopqrstuvwxyz — é 😀 ".repeat(20),
).filter((byte) => byte < 0x80);

const nullable = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
const anyRow: fc.Arbitrary<Row> = fc.record({
  stretch: nullable(
    fc.record({ start: fc.nat(BLOCK.length - 40), length: fc.nat(40) }),
  ),
  text: nullable(fc.string({ unit: "grapheme", maxLength: 30 })),
  wide: nullable(fc.bigInt(-(2n ** 63n) + 1n, 2n ** 63n - 1n)),
  narrow: nullable(fc.integer({ min: -32_768, max: 32_767 })),
});

/** What a table holds of the rows, as text. */
async function taken(rows: readonly Row[], isRaw: boolean): Promise<unknown> {
  const heap = new TextHeap();
  heap.block = BLOCK;
  const size = Math.max(1, rows.length);
  const [text, bytes] = [new TextColumn(heap, size), new TextColumn(heap, size)];
  const [ts, wide] = [new WideColumn(size), new WideColumn(size)];
  const narrow = new IntegerColumn(new Int32Array(size));
  const small = new IntegerColumn(new Int16Array(size));
  for (const [i, row] of rows.entries()) {
    text.set(i, row.text);
    bytes.setStretch(i, row.stretch?.start ?? 0, row.stretch?.length ?? -1);
    if (row.narrow === null) ts.set(i, null);
    else ts.setNumber(i, 1.7e15 + row.narrow);
    wide.set(i, row.wide);
    narrow.set(i, row.narrow);
    small.set(i, row.narrow);
  }
  const chunk = { columns: [text, bytes, ts, wide, narrow, small, null], rows: rows.length };
  const nulls = { columns: chunk.columns.map(() => null), rows: rows.length };
  await using engine = await Engine.open();
  const columns = Object.entries(TABLE).map(([name, type]) => ({ name, type }));
  const none = { ...nulls, rows: 0 };
  const typedChunks = () => [chunk, none, nulls, chunk].values();
  engine.addSource("source", { columns, typedChunks }, isRaw);
  await engine.run("CREATE TABLE t AS FROM source()");
  heap.clear();
  for (let i = 0; i < 500; i++) heap.add("overwritten: the table has its own copies by now");
  return (await engine.read("SELECT t::VARCHAR FROM t")).rows;
}

Deno.test("typed columns become the same rows with pointers and without", async () => {
  assert(canPoint(), "the tests run with the permission for FFI");
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow, { maxLength: 100 }), async (rows) => {
      assert.deepEqual(await taken(rows, true), await taken(rows, false));
    }),
    { numRuns: times(40) },
  );
});

Deno.test("a full chunk goes in whole, and one row more is refused", async () => {
  const row = { stretch: { start: 3, length: 20 }, text: "a text of some length", wide: 1n };
  const rows = Array.from({ length: CHUNK_ROWS }, (_, narrow) => ({ ...row, narrow }));
  assert.deepEqual(await taken(rows, true), await taken(rows, false));
  await assert.rejects(taken([...rows, { ...row, narrow: 0 }], true), /more than 2048 rows/);
});

Deno.test("a text outside its heap is refused, not read", async () => {
  for (const stretch of [{ start: -1, length: 4 }, { start: BLOCK.length - 1, length: 2 }]) {
    await assert.rejects(
      taken([{ stretch, text: null, wide: null, narrow: null }], true),
      /outside its heap/,
    );
  }
});

Deno.test("a column of values that are wider or narrower than its type is refused", async () => {
  await using engine = await Engine.open();
  const heap = new TextHeap();
  const made = [new IntegerColumn(new Int32Array(1)), new TextColumn(heap, 1), new WideColumn(1)];
  for (const [i, type] of ["VARCHAR", "BIGINT", "INTEGER"].entries()) {
    const chunk = { columns: [made[i] ?? null], rows: 1 };
    const typedChunks = () => [chunk].values();
    engine.addSource(`source_${i}`, { columns: [{ name: "a", type }], typedChunks }, true);
    await assert.rejects(engine.read(`FROM source_${i}()`), new RegExp(`none of ${type}`));
  }
});

Deno.test("pointers cross 4 GiB", () => {
  const base = { high: 0x7f12, low: 0xffff_fff0 };
  assert.deepEqual(pointer(base, 15), { high: 0x7f12, low: 0xffff_ffff });
  assert.deepEqual(pointer(base, 16), { high: 0x7f13, low: 0 });
  assert.deepEqual(pointer(base, 1_000_000), { high: 0x7f13, low: 999_984 });
});
