/** How sinks are served: nothing skipped, nothing lost to a sink's moods, the poisoned put aside. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { DeadLetters } from "../../../../agent/window/dead_letters.ts";
import { Delivery } from "../../../../agent/window/delivery.ts";
import type { CountedWindow } from "../../../../agent/window/event.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { ALL_TAKEN, SinkError, withoutClosing } from "../../../../agent/window/sinks/sink.ts";
import type { Outgoing, SendDocuments } from "../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { times } from "../../../harness/seed.ts";

const START_MS = Date.parse("2026-11-22T18:00:00Z");

function counted(number: number, events: number, feed = "windows"): CountedWindow {
  const startMs = START_MS + number * 10_000;
  const span = {
    start: new Date(startMs).toISOString(),
    end: new Date(startMs + 1e4).toISOString(),
  };
  const from = { host: "web-1", region: "eu", stream: "logs", ...span };
  return {
    feed,
    stream: "logs",
    startMs,
    revision: 1,
    events: Array.from({ length: events }, (_, i) => ({
      id: `${number}-${i}`,
      ...from,
      group: "status",
      value: String(i),
      count: number,
      revision: 1,
    })),
  };
}

interface DeliverOptions {
  batchMax?: number;
  cursor?: number;
  setCursor?: (seq: number) => void;
}

interface Desk extends AsyncDisposable {
  folder: TempFolder;
  queue: WindowQueue;
  /** As agent.db keeps it. */
  cursors: number[];
  deliver(name: string, send: SendDocuments, options?: DeliverOptions): Delivery;
}

async function desk(): Promise<Desk> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const queue = await WindowQueue.open(folder.join("windows"));
  const cursors: number[] = [];
  const end = new AbortController();
  const runs: Promise<void>[] = [];
  stack.defer(async () => {
    end.abort();
    await Promise.all(runs);
  });
  const owned = stack.move();
  return {
    folder,
    queue,
    cursors,
    deliver: (name, send, { batchMax = 100, cursor = 0, setCursor } = {}) => {
      const delivery = new Delivery({
        name,
        feed: "windows",
        schema: "logvend",
        queue,
        sink: withoutClosing(send),
        deadLetters: new DeadLetters(folder.join("refused"), name),
        cursor,
        setCursor: setCursor ?? ((seq) => cursors.push(seq)),
        batchMax,
        retryMs: { first: 1, last: 20 },
        timeoutMs: 1_000,
      });
      runs.push(delivery.run(end.signal));
      return delivery;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The ids of all events of windows 0 to `windows - 1`. */
function ids(windows: number, events: number): string[] {
  return Array.from(
    { length: windows },
    (_, n) => Array.from({ length: events }, (_, i) => `${n}-${i}`),
  ).flat();
}

Deno.test("a place behind the end of a queue that began anew is its beginning", async () => {
  await using own = await desk();
  const got: string[] = [];
  own.deliver("a", (events) => {
    got.push(...events.map(({ id }) => id));
    return Promise.resolve(ALL_TAKEN);
  }, { cursor: 700 });
  assert.deepEqual(own.cursors, [0], "a restart before the first is taken begins there too");
  await own.queue.add(counted(0, 2));
  await eventually(() => got.length === 2);
});

Deno.test("a queue that cannot be read for a while loses nothing; a window that is gone is counted", async () => {
  await using own = await desk();
  await own.queue.add(counted(0, 2));
  await own.queue.add(counted(1, 3));
  const path = (entry: string) => own.folder.join("windows", entry);
  const [first, second] = [...Deno.readDirSync(own.folder.join("windows"))]
    .map(({ name }) => name).filter((name) => name.endsWith(".zst")).sort();
  await Deno.rename(path(first!), own.folder.join("aside"));
  await Deno.symlink(".", path(first!)); // a folder cannot be read: neither gone nor damaged
  await Deno.remove(path(second!));
  const got: string[] = [];
  const delivery = own.deliver("a", (events) => {
    got.push(...events.map(({ id }) => id));
    return Promise.resolve(ALL_TAKEN);
  });
  await eventually(() => delivery.problem?.includes("cannot be read") === true);
  assert.equal(delivery.counts.lost, 0);
  await Deno.rename(own.folder.join("aside"), path(first!)); // in its place at once
  await eventually(() => got.length > 0 && delivery.counts.lost > 0);
  assert.deepEqual(got, ["0-0", "0-1"]);
  assert.equal(delivery.counts.lost, 3);
});

Deno.test("a disk that takes nothing ends no delivery: letters wait for it, places do not", async () => {
  await using own = await desk();
  const got: string[] = [];
  const noted: number[] = [];
  let isFull = true;
  await Deno.writeTextFile(own.folder.join("refused"), "no folder");
  const delivery = own.deliver("a", (events) => {
    const event = events.find(({ id }) => id === "1-0");
    got.push(...events.filter((one) => one !== event).map(({ id }) => id));
    return Promise.resolve({
      rejected: event === undefined ? [] : [{ event, reason: "422" }],
      again: [],
    });
  }, {
    batchMax: 1,
    setCursor: (seq) => {
      if (isFull) throw new Error("database or disk is full");
      noted.push(seq);
    },
  });
  await own.queue.add(counted(0, 1));
  await own.queue.add(counted(1, 2));
  await eventually(() => /cannot be put aside/.test(delivery.problem ?? ""));
  assert.deepEqual([got, noted], [["0-0"], []]);
  isFull = false;
  await Deno.remove(own.folder.join("refused"));
  await eventually(() => noted.at(-1) === 2);
  assert.deepEqual([got, delivery.counts.deadLetters], [["0-0", "1-1"], 1]);
});

Deno.test("the signal that a delivery lives by keeps nothing of what was sent", async () => {
  await using folder = await TempFolder.make();
  const queue = await WindowQueue.open(folder.join("windows"));
  const end = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = end.signal;
  end.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(end.signal, args);
  };
  end.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(end.signal, args);
  };
  let tries = 0;
  const delivery = new Delivery({
    ...{ name: "a", feed: "windows", schema: "logvend" as const, queue, cursor: 0, batchMax: 10 },
    sink: withoutClosing(() =>
      tries++ % 2 === 0 ? Promise.reject(new Error("503")) : Promise.resolve(ALL_TAKEN)
    ),
    deadLetters: new DeadLetters(folder.path, "a"),
    setCursor: () => {},
    retryMs: { first: 1, last: 1 },
    timeoutMs: 1_000,
  });
  const run = delivery.run(end.signal);
  for (let i = 0; i < 20; i++) {
    await queue.add(counted(i, 1));
    await eventually(() => delivery.counts.sent === i + 1);
  }
  assert.ok(listeners <= 1, `${listeners} wait for the end`);
  end.abort();
  await run;
});

Deno.test("a window with more than fits is sent in pieces, and its place kept when all are taken", async () => {
  await using own = await desk();
  const window = counted(0, 25);
  for (const event of window.events.slice(0, 3)) event["text"] = "x".repeat(1_900_000);
  await own.queue.add(window);
  const requests: string[][] = [];
  own.deliver("a", (events) => {
    requests.push(events.map(({ id }) => id));
    if (requests.length === 2) throw new SinkError("busy");
    return Promise.resolve(ALL_TAKEN);
  }, { batchMax: 10 });
  await eventually(() => own.cursors.length === 1);
  assert.deepEqual(requests.map(({ length }) => length), [2, 10, 10, 10, 3]);
  assert.deepEqual(requests[1], requests[2]); // as it was
  assert.deepEqual(requests.toSpliced(1, 1).flat(), ids(1, 25));
});

Deno.test("a sink gets everything in order, in batches of whole windows, and its place is kept", async () => {
  await using own = await desk();
  for (let i = 0; i < 5; i++) await own.queue.add(counted(i, 3));
  const batches: string[][] = [];
  const delivery = own.deliver("a", (events) => {
    batches.push(events.map(({ id }) => id));
    return Promise.resolve(ALL_TAKEN);
  }, { batchMax: 7 });
  await eventually(() => own.cursors.at(-1) === 5);
  assert.deepEqual(batches.map((batch) => batch.length), [6, 6, 3]);
  assert.deepEqual(batches.flat(), ids(5, 3));
  assert.deepEqual(own.cursors, [2, 4, 5]);
  await own.queue.add(counted(5, 2));
  await eventually(() => delivery.counts.sent === 17); // woken without being asked
  assert.deepEqual(delivery.waiting(), { events: 0, bytes: 0, oldestStartMs: null });
});

Deno.test("a sink that hangs or is away holds up nobody else", async () => {
  await using own = await desk();
  const away = own.deliver("away", () => Promise.reject(new Error("nobody there")));
  const hanging = own.deliver(
    "hanging",
    (_, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const got: string[] = [];
  own.deliver("good", (events) => {
    got.push(...events.map(({ id }) => id));
    return Promise.resolve(ALL_TAKEN);
  });
  for (let i = 0; i < 4; i++) await own.queue.add(counted(i, 2));
  await eventually(() => got.length === 8);
  assert.deepEqual(got, ids(4, 2));
  await eventually(() => away.counts.failures > 3 && hanging.counts.failures > 0);
  assert.deepEqual([away.waiting().events, hanging.waiting().events], [8, 8]);
  assert.equal(away.problem, "nobody there");
});

Deno.test("of a batch that is refused only the poisoned one is put aside, with the reason", async () => {
  await using own = await desk();
  for (let i = 0; i < 4; i++) await own.queue.add(counted(i, 5));
  const got = new Set<string>();
  const delivery = own.deliver("picky", (events) => {
    if (events.some(({ id }) => id === "2-3")) {
      throw new SinkError("400: mapping", { blames: true });
    }
    for (const { id } of events) got.add(id);
    return Promise.resolve(ALL_TAKEN);
  });
  await eventually(() => own.cursors.at(-1) === 4);
  assert.deepEqual([...got].sort(), ids(4, 5).filter((id) => id !== "2-3").sort());
  assert.deepEqual([delivery.counts.deadLetters, delivery.counts.failures], [1, 0]);
  const letters = (await Deno.readTextFile(own.folder.join("refused", "picky.jsonl"))).trim();
  const { reason, id, body } = JSON.parse(letters);
  assert.deepEqual([reason, id, JSON.parse(body).count], ["400: mapping", "2-3", 2]);
});

Deno.test("a sink that refuses everything is taken to be at fault itself, for a while", async () => {
  await using own = await desk();
  const isAskedAgain = Promise.withResolvers<void>();
  const isMended = Promise.withResolvers<void>();
  let requests = 0;
  const got: string[] = [];
  const delivery = own.deliver("a", async (events) => {
    if (requests++ < 14) throw new SinkError("answered 400: wrong path", { blames: true });
    isAskedAgain.resolve(); // after two times all of them, the halves, and each alone
    await isMended.promise;
    got.push(...events.map(({ id }) => id));
    return ALL_TAKEN;
  });
  await own.queue.add(counted(0, 4));
  await isAskedAgain.promise;
  assert.match(delivery.problem ?? "", /refuses each of 4, the first: answered 400: wrong path/);
  assert.equal(delivery.counts.deadLetters, 0);
  isMended.resolve();
  await eventually(() => own.cursors.length === 1);
  assert.deepEqual(got, ids(1, 4));
});

Deno.test("events that all are refused for ever are put aside in the end, and the rest goes on", async () => {
  await using own = await desk();
  const delivery = own.deliver("a", (events) => {
    if (events.some(({ id }) => id.startsWith("0-"))) throw new SinkError("no", { blames: true });
    return Promise.resolve(ALL_TAKEN);
  }, { batchMax: 3 });
  await own.queue.add(counted(0, 3));
  await own.queue.add(counted(1, 3));
  await eventually(() => own.cursors.at(-1) === 2);
  assert.deepEqual([delivery.counts.deadLetters, delivery.counts.sent], [3, 3]);
});

Deno.test("a damaged entry is counted as lost, and the rest goes on", async () => {
  await using own = await desk();
  for (let i = 0; i < 3; i++) await own.queue.add(counted(i, 2));
  await Deno.truncate(
    own.folder.join("windows", "000000000002.windows.logs.1795370410000.1.2.zst"),
    5,
  );
  const got: string[] = [];
  const delivery = own.deliver("a", (events) => {
    got.push(...events.map(({ id }) => id));
    return Promise.resolve(ALL_TAKEN);
  });
  await eventually(() => own.cursors.at(-1) === 3);
  assert.deepEqual(got, ["0-0", "0-1", "2-0", "2-1"]);
  assert.equal(delivery.counts.lost, 2);
});

Deno.test("what the queue gives up while it is being sent is not lost, and nothing is counted twice", async () => {
  await using own = await desk();
  for (let i = 0; i < 3; i++) await own.queue.add(counted(i, 2));
  const entries = own.queue.after(0, "windows");
  const isSending = Promise.withResolvers<void>();
  const isTaken = Promise.withResolvers<void>();
  const got: string[] = [];
  const delivery = own.deliver("a", async (events) => {
    isSending.resolve();
    await isTaken.promise;
    got.push(...events.map(({ id }) => id));
    return ALL_TAKEN;
  }, { batchMax: 2 });
  await isSending.promise; // the first one; the others wait
  for (const { seq } of entries) {
    const [name] = [...Deno.readDirSync(own.folder.join("windows"))].map(({ name }) => name)
      .filter((name) => name.startsWith(String(seq).padStart(12, "0")));
    if (seq < 3) await Deno.remove(own.folder.join("windows", name!));
  }
  delivery.countLostIfWaiting(entries[0]!);
  assert.equal(delivery.counts.lost, 0);
  isTaken.resolve();
  await eventually(() => own.cursors.at(-1) === 3);
  delivery.countLostIfWaiting(entries[1]!); // the delivery has found out before
  assert.deepEqual(got, ["0-0", "0-1", "2-0", "2-1"]);
  assert.deepEqual([delivery.counts.sent, delivery.counts.lost], [4, 2]);
});

/** What a sink does with one batch. */
type Mood = "take" | "fail" | "half" | "lose the answer" | "reject one";

Deno.test("whatever a sink's moods, and wherever a delivery ends, it has everything in the end", async () => {
  const moods = fc.array(
    fc.constantFrom<Mood>("take", "fail", "half", "lose the answer", "reject one"),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(moods, fc.integer({ min: 1, max: 9 }), async (plan, batchMax) => {
      await using own = await desk();
      for (let i = 0; i < 4; i++) await own.queue.add(counted(i, 3));
      const got = new Set<string>();
      const rejected = new Set<string>();
      let step = 0;
      const take = (events: readonly Outgoing[]) => events.forEach(({ id }) => got.add(id));
      const delivery = own.deliver("moody", (events) => {
        const middle = Math.ceil(events.length / 2);
        const mood = plan[step++] ?? "take";
        if (mood === "fail") return Promise.reject(new Error("503"));
        if (mood === "reject one") {
          const [event] = events;
          take(events.slice(1));
          rejected.add(event!.id);
          return Promise.resolve({ rejected: [{ event: event!, reason: "422" }], again: [] });
        }
        take(mood === "half" ? events.slice(0, middle) : events);
        if (mood === "lose the answer") return Promise.reject(new Error("reset"));
        return Promise.resolve(
          mood === "half" ? { rejected: [], again: events.slice(middle) } : ALL_TAKEN,
        );
      }, { batchMax });
      await eventually(() => own.cursors.at(-1) === 4);
      assert.deepEqual([...got.union(rejected)].sort(), ids(4, 3).sort());
      assert.equal(delivery.counts.deadLetters, rejected.size);
    }),
    { numRuns: times(25) },
  );
});
