/** The queue's files: in order, durable, found again, limited. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CountedWindow } from "../../../../agent/window/event.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

function counted(startMs: number, revision: number, feed = "windows"): CountedWindow {
  const span = { start: new Date(startMs).toISOString(), end: new Date(startMs + 1).toISOString() };
  const event = { id: `e${startMs}`, host: "h", region: "r", stream: "logs", ...span };
  return {
    feed,
    stream: "logs",
    startMs,
    revision,
    events: [{ ...event, group: "total", count: revision, revision }],
  };
}

const NOTHING_DELIVERED = { deliveredSeq: 0, endedBeforeMs: 0, bytesMax: 1e9 };

Deno.test("what was added is there after a start, in order, and the last revision of each window", async () => {
  await using folder = await TempFolder.make();
  {
    const queue = await WindowQueue.open(folder.path);
    for (const window of [counted(10, 1), counted(20, 1), counted(10, 2)]) await queue.add(window);
  }
  await folder.write(".writing-1234-000000000009.windows.logs.1.1.1.zst", "half");
  await folder.write("000000000004.windows.zst", "no entry");
  const queue = await WindowQueue.open(folder.path);
  assert.deepEqual(
    queue.after(0, "windows").map((
      { seq, startMs, revision, events },
    ) => [seq, startMs, revision, events]),
    [[1, 10, 1, 1], [2, 20, 1, 1], [3, 10, 2, 1]],
  );
  assert.deepEqual(queue.after(2, "windows").map(({ seq }) => seq), [3]);
  assert.deepEqual(queue.after(0, "other"), []);
  assert.deepEqual(await queue.latest("windows", "logs", 10), counted(10, 2));
  assert.equal(await queue.latest("windows", "logs", 30), null);
  await queue.add(counted(30, 1));
  assert.equal(queue.end, 4);
  const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name);
  assert.ok(!names.some((name) => name.startsWith(".writing")));
});

Deno.test("a damaged file is noticed, and its window goes on with the next revision", async () => {
  await using folder = await TempFolder.make();
  const queue = await WindowQueue.open(folder.path);
  await queue.add(counted(10, 7));
  const [entry] = queue.after(0, "windows");
  const path = join(folder.path, "000000000001.windows.logs.10.7.1.zst");
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await Deno.writeFile(path, bytes);
  await assert.rejects(queue.read(entry!));
  const { revision, events } = (await queue.latest("windows", "logs", 10))!;
  assert.deepEqual([revision, events], [7, []]);
});

Deno.test("what everybody has goes when no late row can change it, and no sooner", async () => {
  await using folder = await TempFolder.make();
  const queue = await WindowQueue.open(folder.path);
  for (const startMs of [10, 20, 30, 40]) await queue.add(counted(startMs, 1));
  const left = () => queue.after(0, "windows").map(({ startMs }) => startMs);
  const nothing = { forRoom: [], forgottenMs: null };
  assert.deepEqual(await queue.trim(NOTHING_DELIVERED), nothing);
  assert.deepEqual(
    await queue.trim({ ...NOTHING_DELIVERED, deliveredSeq: 3, endedBeforeMs: 25 }),
    { forRoom: [], forgottenMs: 20 },
  );
  assert.deepEqual(left(), [30, 40]);
  assert.deepEqual(
    await queue.trim({ ...NOTHING_DELIVERED, deliveredSeq: 4, endedBeforeMs: 99 }),
    { forRoom: [], forgottenMs: 30 },
  );
  assert.deepEqual(left(), [40]); // the newest says where numbers go on
  const reopened = await WindowQueue.open(folder.path);
  await reopened.add(counted(50, 1));
  assert.equal(reopened.end, 5);
});

Deno.test("a queue that is too long gives up its oldest, and says which", async () => {
  await using folder = await TempFolder.make();
  const queue = await WindowQueue.open(folder.path);
  for (let i = 0; i < 10; i++) await queue.add(counted(i, 1));
  const { bytes } = queue;
  const { forRoom: lost, forgottenMs } = await queue.trim({
    deliveredSeq: 1,
    endedBeforeMs: 1,
    bytesMax: bytes / 2,
  });
  assert.equal(forgottenMs, lost.at(-1)?.startMs);
  assert.ok(queue.bytes <= bytes / 2);
  // 0 had gone its way.
  assert.deepEqual(lost.map(({ startMs }) => startMs), lost.map((_, i) => i + 1));
  assert.ok(lost.length >= 4);
  const onDisk = [...Deno.readDirSync(folder.path)].length;
  assert.equal(onDisk, queue.after(0, "windows").length);
  assert.equal(queue.beginning, lost.length + 1);
});

Deno.test("a window of which a newer revision stays is not forgotten", async () => {
  await using folder = await TempFolder.make();
  const queue = await WindowQueue.open(folder.path);
  for (const window of [counted(10, 1), counted(10, 2), counted(20, 1)]) await queue.add(window);
  const bytesMax = queue.bytes - 1;
  const { forRoom, forgottenMs } = await queue.trim({ ...NOTHING_DELIVERED, bytesMax });
  assert.deepEqual([forRoom.map(({ revision }) => revision), forgottenMs], [[1], null]);
});
