/** Opens windows and their sinks as the configuration has them, and runs them. */
import { join } from "node:path";
import { Engine } from "../queries/duckdb/engine.ts";
import type { AgentConfig } from "./config.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { WindowState } from "./metrics/windows.ts";
import type { Computer } from "./store/computing.ts";
import type { Store } from "./store/store.ts";
import { DeadLetters } from "./window/dead_letters.ts";
import { Delivery } from "./window/delivery.ts";
import { WINDOWS_FEED } from "./window/event.ts";
import { openSink } from "./window/open_sink.ts";
import { windowPlans } from "./window/plans.ts";
import { WindowQueue } from "./window/queue.ts";
import { RequestCounts } from "./window/request_counts.ts";
import { StreamWindows } from "./window/stream_windows.ts";
import type { Locate, StreamPlan } from "./window/stream_windows.ts";
import { Windows } from "./window/windows.ts";
import { windowsOf } from "./window_config.ts";
import type { WindowsConfig } from "./window_config.ts";

/** Full jitter between tries at a sink. */
const RETRY_MS = { first: 500, last: 60_000 };

/** A sink that has not answered by then is tried again. */
const SEND_TIMEOUT_MS = 30_000;

/** How often a host that goes for good looks whether sinks have got everything. */
const FINISH_LOOK_MS = 50;

/** Windows as an agent has them. */
export interface RunningWindows extends AsyncDisposable {
  /** Of the flush that closes them. */
  marks: { flushEveryMs: number; flushAfterMs: number };
  /** Rows have become durable. */
  flushed(): void;
  /** Counts what is there, open windows too, and waits until sinks have it, or for the signal. */
  finish(signal: AbortSignal): Promise<void>;
  state(): WindowState;
}

/** The streams whose rows are counted; empty without windows and sinks. */
export async function plansOf(config: AgentConfig): Promise<StreamPlan[]> {
  const windows = windowsOf(config);
  if (windows === null) return [];
  await using engine = await Engine.open();
  await engine.run("SET errors_as_json = true");
  return await windowPlans(engine, { ...config, windows });
}

export interface OpenWindowsRequest {
  config: AgentConfig;
  plans: readonly StreamPlan[];
  store: Store;
  compute: Computer;
  locate: Locate;
  metrics: Metrics | null;
}

/** Null without windows and sinks. */
export async function openWindows(request: OpenWindowsRequest): Promise<RunningWindows | null> {
  const { config } = request;
  const settings = windowsOf(config);
  if (settings === null) return null;
  const queue = await WindowQueue.open(folderOf(config));
  await using stack = new AsyncDisposableStack();
  const deliveries = await openDeliveries(request, queue, stack);
  const requests = new RequestCounts();
  const windows = newWindows(request, { queue, settings, deliveries, requests });
  const end = new AbortController();
  const runs = Promise.all([windows, ...deliveries].map((one) => one.run(end.signal)));
  windows.wake(); // for what a stop has left
  stack.defer(async () => {
    end.abort();
    await runs;
  });
  const owned = stack.move();
  const { every: everyMs, grace: flushAfterMs } = settings;
  return {
    marks: { flushEveryMs: everyMs / Math.ceil(everyMs / config.flush_every), flushAfterMs },
    flushed: () => windows.wake(),
    finish: async (signal) => {
      try {
        await windows.countDue(signal, true);
      } finally { // what is counted goes its way, also where one stream fails
        const isWaiting = () => deliveries.some((delivery) => delivery.waiting().events > 0);
        while (isWaiting() && !signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, FINISH_LOOK_MS));
        }
      }
    },
    state: () => ({ counts: windows.counts, requests: requests.streams, queue, deliveries }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function folderOf({ data_dir }: AgentConfig): string {
  return join(data_dir, "windows");
}

/** @param stack closes the sinks */
async function openDeliveries(
  { config, store, metrics }: OpenWindowsRequest,
  queue: WindowQueue,
  stack: AsyncDisposableStack,
): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  for (const sink of config.sinks) {
    const { name, schema, select, batch: batchMax } = sink;
    deliveries.push(
      new Delivery({
        name,
        feed: select === undefined ? WINDOWS_FEED : name,
        schema,
        queue,
        sink: stack.use(await openSink(sink)),
        deadLetters: new DeadLetters(join(folderOf(config), "refused"), name),
        cursor: store.windowBook.cursor(name) ?? queue.beginning,
        setCursor: (seq) => store.windowBook.setCursor(name, seq),
        batchMax,
        retryMs: RETRY_MS,
        timeoutMs: SEND_TIMEOUT_MS,
        observe: (seconds) => metrics?.delivered(name, seconds),
      }),
    );
  }
  return deliveries;
}

interface WindowPieces {
  queue: WindowQueue;
  settings: WindowsConfig;
  deliveries: readonly Delivery[];
  requests: RequestCounts;
}

function newWindows(request: OpenWindowsRequest, pieces: WindowPieces): Windows {
  const { config: { host, region }, plans, store, compute, locate, metrics } = request;
  const { queue, settings, deliveries, requests } = pieces;
  const { every: everyMs, grace: graceMs, late: lateMs } = settings;
  const streams = plans.map((plan) => {
    const shape = () => store.shape(plan.stream);
    return new StreamWindows({ plan, host, region, everyMs, shape, compute, locate });
  });
  return new Windows({
    calendar: { everyMs, graceMs, lateMs },
    book: store.windowBook,
    queue,
    streams,
    counted: (window, before) => {
      if (window.feed === WINDOWS_FEED) requests.add(window, before);
    },
    observe: (seconds) => metrics?.windowsCounted(seconds),
    afterwards: () => trim({ queue, deliveries, settings, store }),
    clock: Date.now,
  });
}

interface TrimParts {
  queue: WindowQueue;
  deliveries: readonly Delivery[];
  settings: WindowsConfig;
  store: Store;
}

/** Windows that are removed are counted no more: nobody knows what they said. */
async function trim({ queue, deliveries, settings, store }: TrimParts) {
  const deliveredSeq = Math.min(queue.end, ...deliveries.map((one) => one.deliveredSeq()));
  const endedBeforeMs = Date.now() - settings.late - settings.every;
  const bytesMax = settings.queue;
  const { forRoom, forgottenMs } = await queue.trim({ deliveredSeq, endedBeforeMs, bytesMax });
  if (forgottenMs !== null) store.windowBook.raiseFloor(forgottenMs + 1);
  for (const entry of forRoom) {
    if (entry.seq <= deliveredSeq) continue;
    for (const delivery of deliveries) delivery.countLostIfWaiting(entry);
  }
}
