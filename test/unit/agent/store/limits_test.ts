import assert from "node:assert/strict";
import { storeLimits } from "../../../../agent/store/limits.ts";
import { Store } from "../../../../agent/store/store.ts";
import { batch, folder, GENERATION, parquetFiles, START_MS } from "./scene.ts";

Deno.test("more memory means larger parts, and the least still means parts of thousands", () => {
  assert.deepEqual(storeLimits({ memory: 250e6, nice: 10 }), {
    rowsMax: 30_000,
    lineBytesMax: 10_000_000,
    nice: 10,
  });
  assert.equal(storeLimits({ memory: 230e6, nice: 10 }).rowsMax, 10_000);
  assert.equal(storeLimits({ memory: 400e6, nice: 10 }).rowsMax, 180_000);
  assert.equal(storeLimits({ memory: 64e9, nice: 10 }).lineBytesMax, 2 ** 29);
});

Deno.test("rows or bytes over the limit are written at once, before more is taken", async () => {
  const partsAfter = async (limits: { rowsMax: number; lineBytesMax: number }) => {
    await using home = await folder();
    await using store = await Store.open({
      dataDir: home.path,
      host: "web-1",
      region: "eu",
      streams: ["logs"],
      sealAfterMs: 120_000,
      limits: { ...limits, nice: 0 },
      signal: new AbortController().signal,
    });
    store.putGeneration(GENERATION);
    for (let start = 0; start < 100; start += 10) {
      await store.append(batch(start, 10, () => START_MS));
    }
    return (await parquetFiles(home.path)).length;
  };
  assert.equal(await partsAfter({ rowsMax: 20, lineBytesMax: 1e6 }), 5);
  assert.equal(await partsAfter({ rowsMax: 1e6, lineBytesMax: 500 }), 2);
  assert.equal(await partsAfter({ rowsMax: 1e6, lineBytesMax: 1e6 }), 0);
});
