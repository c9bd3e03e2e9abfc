/** A store with windows over it, as an agent has them: real files, real workers, a clock to set. */
import { join } from "node:path";
import { compute } from "../../../../agent/query/compute.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import { newAccessRows } from "../../../../agent/store/rows/rows.ts";
import { Store } from "../../../../agent/store/store.ts";
import type { CountedWindow, WindowEvent } from "../../../../agent/window/event.ts";
import { changedEvents } from "../../../../agent/window/event.ts";
import { WindowQueue } from "../../../../agent/window/queue.ts";
import { StreamWindows } from "../../../../agent/window/stream_windows.ts";
import type { StreamPlan } from "../../../../agent/window/stream_windows.ts";
import { Windows } from "../../../../agent/window/windows.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { windowLists } from "../../../../queries/windows/lists.ts";
import { GENERATION, START_MS } from "../store/scene.ts";

export const EVERY_MS = 10_000;
export const GRACE_MS = 2_000;
export const LATE_MS = 3_600_000;

/** A request of a log. */
export interface Hit {
  atMs: number;
  address: string;
  status: number;
}

export const PLAN: StreamPlan = { stream: "logs", lists: windowLists(), own: [], rows: [] };

export interface Scene extends AsyncDisposable {
  store: Store;
  queue: WindowQueue;
  windows: Windows;
  /** How many windows were counted together, each time. */
  together: number[];
  setClock(ms: number): void;
  /** Makes requests durable, as one flush. */
  write(hits: readonly Hit[]): Promise<void>;
  /** Counts all that is due. */
  count(): Promise<void>;
  /** The newest version of each event that was ever to be sent, by id. */
  events(feed?: string): Promise<Map<string, WindowEvent>>;
}

/** Opens a folder again, or for the first time. */
export async function scene(folder: string, plan: StreamPlan = PLAN): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  let nowMs = START_MS;
  const clock = () => nowMs;
  const store = stack.use(
    await Store.open({
      dataDir: join(folder, "data"),
      host: "web-1",
      region: "eu",
      streams: ["logs"],
      windowed: new Set(["logs"]),
      sealAfterMs: 120_000,
      isBulk: true,
      clock,
      signal: new AbortController().signal,
    }),
  );
  const work = join(folder, "query");
  const workers = stack.use(await WorkerPool.open({ folder: work, dataDir: join(folder, "data") }));
  const parts = { store, workers, region: "eu" };
  const queue = await WindowQueue.open(join(folder, "data", "windows"));
  const together: number[] = [];
  const windows = new Windows({
    calendar: { everyMs: EVERY_MS, graceMs: GRACE_MS, lateMs: LATE_MS },
    book: store.windowBook,
    queue,
    streams: [
      new StreamWindows({
        plan,
        host: "web-1",
        region: "eu",
        everyMs: EVERY_MS,
        shape: () => store.shape("logs"),
        compute: (computation, signal) => compute(parts, computation, signal),
        locate: () => null,
      }),
    ],
    observe: (_, count) => void together.push(count),
    clock,
  });
  const owned = stack.move();
  return {
    store,
    together,
    queue,
    windows,
    setClock: (ms) => nowMs = ms,
    write: (hits) => write(store, hits),
    count: () => windows.countDue(new AbortController().signal),
    events: (feed = "windows") => newest(queue, feed),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function write(store: Store, hits: readonly Hit[]) {
  const [known] = store.generations("logs");
  if (known === undefined) store.putGeneration(GENERATION);
  const startOffset = known?.offset ?? 0;
  const rows = newAccessRows(Math.max(1, hits.length));
  for (const [i, { atMs, address, status }] of hits.entries()) {
    rows.columns.ts.set(i, BigInt(atMs) * 1_000n);
    rows.columns.remote_addr.set(i, address);
    rows.columns.status.set(i, status);
    rows.columns.request.set(i, `/item/${i}`);
    rows.columns.body_bytes_sent.setNumber(i, 100);
    rows.columns.line_offset.setNumber(i, startOffset + i * 10);
    rows.columns.line_length.setHidden(i, 10);
    rows.count++;
  }
  await store.append({
    generation: GENERATION.id,
    startOffset,
    endOffset: startOffset + hits.length * 10,
    lines: hits.length,
    rows,
    shape: ACCESS_SHAPE,
    rejects: [],
    dropped: { ts: [], rule: [], line_length: [] },
    tail: new Uint8Array(),
  });
  await store.flush();
}

async function newest(queue: WindowQueue, feed: string): Promise<Map<string, WindowEvent>> {
  const events = new Map<string, WindowEvent>();
  for (const entry of queue.after(0, feed)) {
    const window: CountedWindow = await queue.read(entry);
    for (const event of changedEvents(window)) {
      const before = events.get(event.id);
      if (before !== undefined && before.revision >= event.revision) {
        throw new Error(`Revision ${event.revision} of ${event.id} after ${before.revision}`);
      }
      events.set(event.id, event);
    }
  }
  return events;
}

/** Lists of addresses, statuses and sums, counted by hand; what is `0` has left its list. */
export function truthOf(hits: readonly Hit[], everyMs = EVERY_MS): Map<string, number> {
  const truth = new Map<string, number>();
  const windows = Map.groupBy(hits, ({ atMs }) => Math.floor(atMs / everyMs) * everyMs);
  for (const [startMs, own] of windows) {
    const add = (group: string, value: string, count: number) =>
      truth.set(`${new Date(startMs).toISOString().replace(".000", "")} ${group} ${value}`, count);
    add("total", "", own.length);
    for (const [status, { length }] of Map.groupBy(own, (hit) => hit.status)) {
      add("status", String(status), length);
    }
    [...Map.groupBy(own, (hit) => hit.address)].map(([address, { length }]) =>
      [address, length] as const
    ).filter(([, count]) => count >= 3)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 10)
      .forEach(([address, count]) => add("address", address, count));
  }
  return truth;
}

/** The same of events, without those that have left their lists. */
export function countsOf(events: Iterable<WindowEvent>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { start, group, value = "", count = 0 } of events) {
    if (!["total", "status", "address"].includes(group) || count === 0) continue;
    counts.set(`${start} ${group} ${value}`, count);
  }
  return counts;
}

/** In an order of its own, to be compared. */
export function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1);
}
