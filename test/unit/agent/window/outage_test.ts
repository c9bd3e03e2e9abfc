/** A sink that was away for three days gets everything, oldest first, a batch at a time. */
import assert from "node:assert/strict";
import { constants, zstdCompressSync } from "node:zlib";
import { DeadLetters } from "../../../../agent/window/dead_letters.ts";
import { Delivery } from "../../../../agent/window/delivery.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { ALL_TAKEN, withoutClosing } from "../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

/** 25,920 are three days of ten seconds. */
const WINDOWS = Number(Deno.env.get("LOGVEND_TEST_WINDOWS") ?? 3_000);
const EVENTS = 60;
const START_MS = Date.parse("2026-11-22T18:00:00Z");

Deno.test("after an outage of days a sink gets all events, in order, a batch at a time", async () => {
  await using folder = await TempFolder.make();
  for (let i = 0; i < WINDOWS; i++) await writeWindow(folder, i);
  const queue = await WindowQueue.open(folder.path);
  assert.equal(queue.end, WINDOWS);
  let next = 0;
  let largest = 0;
  const sink = withoutClosing((events) => {
    for (const { id } of events) {
      assert.equal(id, `${Math.floor(next / EVENTS)}-${next % EVENTS}`);
      next++;
    }
    largest = Math.max(largest, events.length);
    return Promise.resolve(ALL_TAKEN);
  });
  const end = new AbortController();
  const delivery = new Delivery({
    name: "away",
    feed: "windows",
    schema: "logvend",
    queue,
    sink,
    deadLetters: new DeadLetters(folder.path, "away"),
    cursor: 0,
    setCursor: () => {},
    batchMax: 500,
    retryMs: { first: 1, last: 10 },
    timeoutMs: 1_000,
  });
  assert.equal(delivery.waiting().oldestStartMs, START_MS);
  const run = delivery.run(end.signal);
  await eventually(() => next === WINDOWS * EVENTS, 60_000);
  end.abort();
  await run;
  assert.ok(largest <= 500);
  assert.equal(delivery.waiting().events, 0);
});

async function writeWindow(folder: TempFolder, number: number) {
  const startMs = START_MS + number * 10_000;
  const span = {
    start: new Date(startMs).toISOString(),
    end: new Date(startMs + 1e4).toISOString(),
  };
  const common = {
    host: "web-1",
    region: "eu",
    stream: "logs",
    ...span,
    group: "address",
    revision: 1,
  };
  const events = Array.from({ length: EVENTS }, (_, i) => {
    return { id: `${number}-${i}`, ...common, value: `192.0.2.${i}`, count: number };
  });
  const window = { feed: "windows", stream: "logs", startMs, revision: 1, events };
  const packed = zstdCompressSync(JSON.stringify(window), {
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const seq = String(number + 1).padStart(12, "0");
  await folder.write(`${seq}.windows.logs.${startMs}.1.${EVENTS}.zst`, packed);
}
