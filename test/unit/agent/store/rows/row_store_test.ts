import assert from "node:assert/strict";
import { RowStore } from "../../../../../agent/store/rows/row_store.ts";
import { newStreamRows } from "../../../../../agent/store/rows/rows.ts";
import { EMPTY_SHAPE } from "../../../../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../../../../protocol/schema/streams.ts";

const { physical } = streamSchema(EMPTY_SHAPE);

Deno.test("chunks are used again, but for those that only a burst took", () => {
  let made = 0;
  const store = new RowStore(physical, () => {
    made++;
    return newStreamRows(physical, 2);
  });
  const fill = (rows: number) => {
    for (let row = 0; row < rows; row++) store.addRow(() => {});
    assert.equal([...store.typedChunks()].reduce((sum, chunk) => sum + chunk.rows, 0), rows);
    store.clear();
  };
  fill(10);
  fill(10);
  assert.equal(made, 5);
  fill(3);
  assert.equal(made, 5);
  fill(3);
  fill(10);
  assert.equal(made, 8);
});

Deno.test("chunks without a row of the times that are asked for are not shown", () => {
  const store = new RowStore(physical, () => newStreamRows(physical, 2));
  for (const at of [1, 9, 5, 6, 8, 2, 20]) {
    store.addRow(({ columns }, row) => columns.ts.setNumber(row, at));
  }
  const shown = (minUs: number, maxUs: number) => {
    store.shown = { minUs, maxUs };
    return [...store.typedChunks()].map(({ rows }) => rows);
  };
  assert.deepEqual(shown(3, 4), []);
  assert.deepEqual(shown(6, 8), [2, 2]);
  assert.deepEqual(shown(20, 20), [1]);
  store.shown = null;
  assert.equal([...store.typedChunks()].length, 4);
});
