/** A sink that was away for three days gets everything, oldest first, a batch at a time. */
import assert from "node:assert/strict";
import { DeadLetters } from "../../../../agent/window/dead_letters.ts";
import { Delivery } from "../../../../agent/window/delivery.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { ALL_TAKEN, withoutClosing } from "../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { WINDOW_EVENTS, writeWindowFiles } from "../../../harness/window_files.ts";

/** 25,920 are three days of ten seconds. */
const WINDOWS = Number(Deno.env.get("LOGVEND_TEST_WINDOWS") ?? 3_000);
const START_MS = Date.parse("2026-11-22T18:00:00Z");

Deno.test("after an outage of days a sink gets all events, in order, a batch at a time", async () => {
  await using folder = await TempFolder.make();
  await writeWindowFiles(folder.path, { count: WINDOWS, firstMs: START_MS });
  const queue = await WindowQueue.open(folder.path);
  assert.equal(queue.end, WINDOWS);
  let next = 0;
  let largest = 0;
  const sink = withoutClosing((events) => {
    for (const { id } of events) {
      assert.equal(id, `${Math.floor(next / WINDOW_EVENTS)}-${next % WINDOW_EVENTS}`);
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
  await eventually(() => next === WINDOWS * WINDOW_EVENTS);
  end.abort();
  await run;
  assert.ok(largest <= 500);
  assert.equal(delivery.waiting().events, 0);
});
