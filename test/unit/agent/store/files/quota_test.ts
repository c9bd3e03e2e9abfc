import assert from "node:assert/strict";
import { otherBytes, Quota } from "../../../../../agent/store/files/quota.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { batch, folder, GENERATION, open, START_MS } from "../scene.ts";
import { Store } from "../../../../../agent/store/store.ts";

Deno.test("reading pauses at the quota and goes on below 95 % of it", async () => {
  let used = 900;
  const policy = { bytes: 1_000, whenFull: "pause" } as const;
  const quota = new Quota({
    policy,
    usedBytes: () => used,
    dropOldest: () => Promise.resolve(false),
  });
  const { signal } = new AbortController();
  await quota.check();
  await quota.room(signal);
  used = 1_000;
  await quota.check();
  assert.match(quota.reason ?? "", /quota of 1.0 KB/);
  let goesOn = false;
  const waiting = quota.room(signal).then(() => goesOn = true);
  used = 960;
  await quota.check();
  assert.notEqual(quota.reason, null);
  used = 940;
  await waiting;
  assert.ok(goesOn);
  assert.equal(quota.reason, null);
});

Deno.test("who reads once is stopped at the quota, and told what to do", async () => {
  const policy = { bytes: 1_000, whenFull: "fail" } as const;
  const dropOldest = () => Promise.resolve(false);
  const quota = new Quota({ policy, usedBytes: () => 1_000, dropOldest });
  await quota.check();
  const { signal } = new AbortController();
  await assert.rejects(quota.room(signal), /reached its quota of 1.0 KB; make room/);
});

Deno.test("drop_oldest makes room, and reading pauses when nothing is left to drop", async () => {
  const chunks = [300, 300];
  let others = 500;
  const used = () => others + chunks.reduce((sum, bytes) => sum + bytes, 0);
  const dropOldest = (bytes: number) => {
    if (chunks.length === 0) return Promise.resolve(false);
    for (let left = bytes; left > 0 && chunks.length > 0;) left -= chunks.shift() ?? 0;
    return Promise.resolve(true);
  };
  const policy = { bytes: 1_000, whenFull: "drop_oldest" } as const;
  const quota = new Quota({ policy, usedBytes: used, dropOldest });
  await quota.check();
  assert.deepEqual([quota.reason, chunks.length], [null, 1]);
  others = 1_000;
  await quota.check();
  assert.equal(chunks.length, 0);
  assert.notEqual(quota.reason, null);
});

Deno.test("a store at its quota takes no more than memory holds, and goes on when it may hold more", async () => {
  await using data = await folder();
  const ended = new AbortController();
  const options = {
    dataDir: data.path,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 120_000,
    clock: () => START_MS,
    signal: ended.signal,
  };
  {
    await using store = await Store.open({
      ...options,
      quota: { bytes: 1_000, whenFull: "pause" },
    });
    assert.notEqual(store.condition().paused, null, "from its start on");
    store.putGeneration(GENERATION);
    let taken = false;
    const append = store.append(batch(0, 5, () => START_MS)).then(() => taken = true);
    await eventually(() => store.condition().waitingRows === 5);
    assert.equal(taken, false);
    ended.abort();
    await append;
  }
  await using store = await open(data.path);
  await store.append(batch(5, 5, () => START_MS));
  assert.equal(store.condition().paused, null);
  assert.ok(otherBytes(data.path) > 4_096, "agent.db");
});
