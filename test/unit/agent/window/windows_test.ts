/** Windows over a real store: closed by the clock, revised by late rows, the same after every stop. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  addTouched,
  WindowBook,
  WINDOWS_TABLES,
} from "../../../../agent/store/database/touched.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { StreamWindows } from "../../../../agent/window/stream_windows.ts";
import { Windows } from "../../../../agent/window/windows.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { parseWindowList } from "../../../../queries/windows/header.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { START_MS } from "../store/scene.ts";
import { countsOf, EVERY_MS, GRACE_MS, LATE_MS, PLAN, scene, sorted, truthOf } from "./scene.ts";
import type { Hit } from "./scene.ts";

/** Requests of a few addresses, `perSecond` a second, beginning at a second of its own. */
function hits(fromSecond: number, seconds: number, perSecond: number, salt = 0): Hit[] {
  return Array.from({ length: seconds * perSecond }, (_, i) => ({
    atMs: START_MS + (fromSecond + Math.floor(i / perSecond)) * 1_000 + (i % perSecond),
    address: `10.0.${salt}.${(i * 7 + salt) % 13}`,
    status: i % 9 === 0 ? 404 : i % 31 === 0 ? 500 : 200,
  }));
}

Deno.test("a window is counted when it is over and its grace too, from parts and from chunks alike", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  const written = [...hits(0, 10, 20), ...hits(10, 5, 20)];
  await host.write(written);
  host.setClock(START_MS + EVERY_MS + GRACE_MS - 1);
  await host.count();
  assert.equal(host.queue.end, 0);
  host.setClock(START_MS + EVERY_MS + GRACE_MS);
  await host.count();
  assert.equal(host.queue.end, 1); // the second one is open
  await host.store.sealAll();
  host.setClock(START_MS + 2 * EVERY_MS + GRACE_MS);
  await host.count();
  assert.equal(host.queue.end, 2);
  assert.deepEqual(
    sorted(countsOf((await host.events()).values())),
    sorted(truthOf(written)),
  );
  await host.count();
  assert.equal(host.queue.end, 2); // once
});

Deno.test("late rows give the next revision of the same events, and only of those that they change", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  host.setClock(START_MS + 60_000);
  const first = hits(0, 10, 20);
  await host.write(first);
  await host.count();
  const before = await host.events();
  const late: Hit[] = Array.from({ length: 3 }, () => ({
    atMs: START_MS + 4_000,
    address: "192.0.2.9",
    status: 404,
  }));
  await host.write(late);
  await host.count();
  const after = await host.events();
  assert.deepEqual(sorted(countsOf(after.values())), sorted(truthOf([...first, ...late])));
  const counted = 1 + (60_000 - EVERY_MS - GRACE_MS) / 1_000; // seconds since it closed
  const revised = [...after.values()].filter(({ revision }) => revision === counted + 1);
  assert.ok(revised.length > 0);
  assert.ok(revised.every(({ id, group }) => before.has(id) || group.endsWith("address")));
  const ok = [...after.values()].find(({ group, value }) => group === "status" && value === "200");
  assert.equal(ok?.revision, counted); // nothing changed about it
});

Deno.test("what leaves its list says so: its last revision counts nothing", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  host.setClock(START_MS + 60_000);
  const many = (address: string, count: number): Hit[] =>
    Array.from({ length: count }, () => ({ atMs: START_MS, address, status: 200 }));
  const first = Array.from({ length: 10 }, (_, i) => many(`10.0.0.${i}`, 10 + i)).flat();
  await host.write(first);
  await host.count();
  await host.write(many("10.9.9.9", 50)); // 10.0.0.0 is the eleventh now
  await host.count();
  const events = [...(await host.events()).values()];
  const gone = events.find(({ value }) => value === "10.0.0.0");
  assert.deepEqual([gone?.count, gone?.revision], [0, 50]);
  assert.deepEqual(
    sorted(countsOf(events)),
    sorted(truthOf([...first, ...many("10.9.9.9", 50)])),
  );
});

Deno.test("a stop between counting and forgetting counts again, and says nothing twice", async () => {
  await using folder = await TempFolder.make();
  const written = hits(0, 30, 10);
  {
    await using host = await scene(folder.path);
    host.setClock(START_MS + 60_000);
    await host.write(written);
    const kept = host.store.windowBook.touched();
    await host.count();
    assert.equal(host.queue.end, 3);
    host.store.windowBook.settle([{ ...kept[0]!, seq: -1 }], kept); // as if it had not been settled
  }
  await using host = await scene(folder.path);
  host.setClock(START_MS + 60_000);
  assert.equal(host.store.windowBook.touched().length, 1);
  await host.count();
  assert.deepEqual([host.queue.end, host.store.windowBook.touched().length], [3, 0]);
  assert.deepEqual(sorted(countsOf((await host.events()).values())), sorted(truthOf(written)));
});

Deno.test("a late row has its own window counted again, and not those between it and the others", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  const late: Hit = { atMs: START_MS + 60_000, address: "10.0.0.1", status: 200 };
  host.setClock(START_MS + 3_500_000);
  await host.write([...hits(3_400, 10, 5), late]); // 55 minutes
  assert.equal(host.store.windowBook.touched().length, 2);
  await host.count();
  const starts = host.queue.after(0, "windows").map(({ startMs }) => startMs - START_MS);
  assert.deepEqual(starts.sort((a, b) => a - b), [60_000, 3_400_000]);
  assert.deepEqual(host.together, [1, 1]); // neither reads the files of the other
});

Deno.test("who has lost what a window said says it again with a higher revision", async () => {
  await using folder = await TempFolder.make();
  const written = hits(0, 10, 5);
  const open = async (clockMs: number) => {
    const host = await scene(folder.path);
    host.setClock(clockMs);
    return host;
  };
  let highest = 0;
  {
    await using host = await open(START_MS + EVERY_MS + GRACE_MS);
    await host.write(written.slice(0, -1));
    await host.count();
    await host.write(written.slice(-1));
    await host.count();
    highest = Math.max(...host.queue.after(0, "windows").map(({ revision }) => revision));
    assert.equal(highest, 2);
  }
  // The queue had no room for them, and agent.db is lost.
  await Deno.remove(folder.join("data", "windows"), { recursive: true });
  for await (const { name } of Deno.readDir(folder.join("data"))) {
    if (name.startsWith("agent.db")) await Deno.remove(folder.join("data", name));
  }
  await using host = await open(START_MS + EVERY_MS + GRACE_MS + 5_000);
  await host.count();
  const events = await host.events();
  assert.ok([...events.values()].every(({ revision }) => revision > highest));
  assert.deepEqual(sorted(countsOf(events.values())), sorted(truthOf(written)));
});

Deno.test("a clock that jumps back closes no window twice, and one that jumps ahead revises them", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  host.setClock(START_MS + 3_000_000); // 50 minutes ahead: closed at once
  const first = hits(0, 5, 10);
  await host.write(first);
  await host.count();
  host.setClock(START_MS + 5_000); // and back: the window is open again by the clock
  const more = hits(5, 5, 10, 1);
  await host.write(more);
  await host.count();
  assert.equal(host.queue.end, 1);
  host.setClock(START_MS + EVERY_MS + GRACE_MS);
  await host.count();
  assert.equal(host.queue.end, 2);
  const truth = truthOf([...first, ...more]);
  assert.deepEqual(sorted(countsOf((await host.events()).values())), sorted(truth));
});

Deno.test("rows that come too late are stored, and change no window; that is counted", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  host.setClock(START_MS + LATE_MS + 5 * EVERY_MS);
  await host.write([...hits(0, 60, 1)]);
  await host.count();
  assert.equal(host.windows.counts.tooLate, 5);
  const starts = new Set([...(await host.events()).values()].map(({ start }) => start));
  assert.deepEqual([...starts], ["2026-11-22T18:00:50Z"]);
});

Deno.test("a backlog of an hour is counted newest first, and whole", async () => {
  await using folder = await TempFolder.make();
  await using host = await scene(folder.path);
  const written = hits(0, 600, 2);
  await host.write(written);
  host.setClock(START_MS + 700_000);
  await host.count();
  assert.deepEqual(host.together, [30, 30]);
  const [newest] = host.queue.after(0, "windows");
  assert.equal(newest?.startMs, START_MS + 590_000);
  assert.deepEqual(sorted(countsOf((await host.events()).values())), sorted(truthOf(written)));
});

Deno.test("rows that a sink wants come once each, also equal ones and late ones, up to a limit", async () => {
  await using folder = await TempFolder.make();
  const select = "SELECT remote_addr, status FROM logs WHERE status >= 500";
  const rows = [{ name: "errors", select, rowsMax: 3 }];
  await using host = await scene(folder.path, { ...PLAN, lists: [], rows });
  host.setClock(START_MS + 60_000);
  const error: Hit = { atMs: START_MS, address: "10.0.0.1", status: 503 };
  await host.write([error, { ...error, status: 200 }]);
  await host.count();
  await host.write([error]);
  await host.count();
  const events = [...(await host.events("errors")).values()];
  assert.deepEqual(events.map(({ row, revision }) => [row, revision]), [
    [{ remote_addr: "10.0.0.1", status: 503 }, 49],
    [{ remote_addr: "10.0.0.1", status: 503 }, 50],
  ]);
  await host.write([error, error, error]);
  await host.count();
  assert.equal((await host.events("errors")).size, 3);
  assert.equal(host.windows.counts.cut, 1);
});

Deno.test("a list of a user that fails over a value leaves the others alone", async () => {
  await using folder = await TempFolder.make();
  const own = [
    parseWindowList(
      "bad.sql",
      "-- group: bad\nSELECT remote_addr AS value, sum(CAST(request AS INTEGER)) AS count FROM logs GROUP BY 1",
    ),
    parseWindowList("good.sql", "-- group: good\nSELECT count(*) AS count FROM logs"),
  ];
  await using host = await scene(folder.path, { ...PLAN, own });
  host.setClock(START_MS + 60_000);
  const written = hits(0, 10, 5);
  await host.write(written);
  await host.count();
  const events = [...(await host.events()).values()];
  assert.deepEqual(sorted(countsOf(events)), sorted(truthOf(written)));
  assert.deepEqual(events.filter(({ group }) => group === "good").map(({ count }) => count), [50]);
  assert.ok(!events.some(({ group }) => group === "bad"));
});

Deno.test("a list that cannot be made any more takes nothing back of what it said", async () => {
  await using folder = await TempFolder.make();
  const listOf = (sql: string) => [parseWindowList("own.sql", `-- group: own\n${sql}`)];
  const counts = async (sql: string, hit: Hit) => {
    await using host = await scene(folder.path, { ...PLAN, own: listOf(sql) });
    host.setClock(START_MS + 60_000);
    await host.write([hit]);
    await host.count();
    const events = [...(await host.events()).values()];
    return ["own", "total"].map((group) => events.find((one) => one.group === group)?.count);
  };
  const hit: Hit = { atMs: START_MS, address: "10.0.0.1", status: 200 };
  assert.deepEqual(await counts("SELECT count(*) AS count FROM logs", hit), [1, 1]);
  assert.deepEqual(await counts("SELECT sum(later) AS count FROM logs", hit), [1, 2]);
  assert.deepEqual(await counts("SELECT count(*) AS count FROM logs", hit), [3, 3]);
});

Deno.test("a stream that cannot be counted keeps what is due, and holds up no other", async () => {
  await using folder = await TempFolder.make();
  using database = new DatabaseSync(":memory:");
  database.exec(WINDOWS_TABLES);
  const span = { fromUs: START_MS * 1_000, toUs: START_MS * 1_000 };
  const bad = Array.from({ length: 40 }, (_, i) => {
    const us = (START_MS + i * EVERY_MS) * 1_000;
    return { stream: "bad", fromUs: us, toUs: us };
  });
  const touched = [{ stream: "good", ...span }, ...bad]; // more of it than is counted together
  addTouched(database, touched, new Set(["good", "bad"]));
  const book = new WindowBook(database);
  const queue = await WindowQueue.open(folder.path);
  const streams = ["good", "bad"].map((stream) =>
    new StreamWindows({
      plan: { ...PLAN, stream },
      host: "web-1",
      region: "eu",
      everyMs: EVERY_MS,
      shape: () => ACCESS_SHAPE,
      compute: ({ selects }) =>
        stream === "bad"
          ? Promise.reject(new Error("out of memory"))
          : Promise.resolve(selects.map(() => [["0", null, "7", null]])),
      locate: () => null,
    })
  );
  const calendar = { everyMs: EVERY_MS, graceMs: GRACE_MS, lateMs: LATE_MS };
  const clock = () => START_MS + 600_000;
  const windows = new Windows({ calendar, book, queue, streams, clock });
  await assert.rejects(windows.countDue(new AbortController().signal), /out of memory/);
  assert.deepEqual(book.touched().map(({ stream }) => stream), bad.map(() => "bad"));
  assert.deepEqual(queue.after(0, "windows").map(({ stream }) => stream), ["good"]);
  const end = new AbortController();
  const trimmed = Promise.withResolvers<void>();
  const running = new Windows({
    ...{ calendar, book, queue, streams, clock },
    afterwards: () => Promise.resolve(trimmed.resolve()),
  });
  const run = running.run(end.signal);
  await trimmed.promise; // what the others add has a limit all the same
  assert.equal(running.counts.failures, 1);
  end.abort();
  await run;
});
