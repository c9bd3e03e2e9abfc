/** Metrics of windows and their sinks. Labels are those of the configuration, and status classes. */
import type { Registry } from "prom-client";
import type { Delivery, DeliveryCounts } from "../window/delivery.ts";
import type { WindowQueue } from "../window/queue.ts";
import type { RequestSums } from "../window/request_counts.ts";
import type { WindowCounts } from "../window/windows.ts";
import { addCounter, addGauge, addHistogram } from "./collected.ts";

/** As they are now. */
export interface WindowState {
  counts: WindowCounts;
  requests: ReadonlyMap<string, RequestSums>;
  queue: Pick<WindowQueue, "bytes">;
  deliveries: readonly Pick<Delivery, "name" | "counts" | "problem" | "waiting">[];
}

/** Adds them all. */
export function addWindows(registry: Registry, state: () => WindowState | null) {
  addRequests(registry, state);
  addLatency(registry, state);
  addCounts(registry, state);
  addSinks(registry, state);
  addGauge(registry, {
    name: "logvend_window_queue_bytes",
    help: "Files of counted windows: for sinks, and for rows that may still come late",
    collect: (report) => {
      const now = state();
      if (now !== null) report(now.queue.bytes);
    },
  });
}

/** Since the start of the agent: windows know of requests when they are over. */
function addRequests(registry: Registry, state: () => WindowState | null) {
  addCounter(registry, {
    name: "logvend_requests_total",
    help: "Requests in counted windows, by class of status",
    labels: ["stream", "class"],
    collect: (report) =>
      state()?.requests.forEach(({ byClass }, stream) =>
        byClass.forEach((count, name) => report(Math.max(0, count), { stream, class: name }))
      ),
  });
  addCounter(registry, {
    name: "logvend_response_bytes_total",
    help: "Bytes sent in answers to these requests",
    labels: ["stream"],
    collect: (report) =>
      state()?.requests.forEach(({ bytes }, stream) => report(Math.max(0, bytes), { stream })),
  });
}

/** Of requests whose time was logged. */
function addLatency(registry: Registry, state: () => WindowState | null) {
  addHistogram(registry, {
    name: "logvend_request_duration_seconds",
    help: "Requests in counted windows, by how long they took",
    collect: () =>
      [...state()?.requests ?? []].filter(([, { latency }]) => latency.count > 0).map(
        ([stream, { latency: { count, sumS, within } }]) => {
          return { labels: { stream }, count, sum: Math.max(0, sumS), within };
        },
      ),
  });
}

function addCounts(registry: Registry, state: () => WindowState | null) {
  const add = (name: string, help: string, of: (counts: WindowCounts) => number) =>
    addCounter(registry, {
      name,
      help,
      collect: (report) => {
        const now = state();
        if (now !== null) report(of(now.counts));
      },
    });
  add("logvend_window_revisions_total", "Windows counted, and counted again", (c) => c.revisions);
  add("logvend_window_too_late_total", "Windows too old for their late rows", (c) => c.tooLate);
  add("logvend_window_cut_total", "Windows with more rows than a sink may get", (c) => c.cut);
  add(
    "logvend_window_failures_total",
    "Times that windows could not be counted",
    (c) => c.failures,
  );
}

function addSinks(registry: Registry, state: () => WindowState | null) {
  const each = (of: (delivery: WindowState["deliveries"][number]) => number | null) =>
  (
    report: (value: number, labels: Record<string, string>) => void,
  ) =>
    state()?.deliveries.forEach((delivery) => {
      const value = of(delivery);
      if (value !== null) report(value, { sink: delivery.name });
    });
  const counter = (name: string, help: string, key: keyof DeliveryCounts) =>
    addCounter(registry, {
      name,
      help,
      labels: ["sink"],
      collect: each(({ counts }) => counts[key]),
    });
  counter("logvend_sink_events_total", "Documents that the sink has taken", "sent");
  counter("logvend_sink_bytes_total", "Characters of these documents", "bytes");
  counter("logvend_sink_failures_total", "Tries that failed and are repeated", "failures");
  counter(
    "logvend_sink_refused_events_total",
    "Documents put aside: refused for good",
    "deadLetters",
  );
  counter("logvend_sink_lost_events_total", "Events that the sink will never get", "lost");
  const gauge = (name: string, help: string, collect: ReturnType<typeof each>) =>
    addGauge(registry, { name, help, labels: ["sink"], collect });
  gauge(
    "logvend_sink_up",
    "0 while the sink takes nothing",
    each(({ problem }) => problem === null ? 1 : 0),
  );
  gauge("logvend_sink_waiting_events", "Events that wait", each((one) => one.waiting().events));
  gauge("logvend_sink_waiting_bytes", "Bytes of their files", each((one) => one.waiting().bytes));
  gauge(
    "logvend_sink_lag_seconds",
    "Age of the oldest window that waits; 0 when none does",
    each((one) => {
      const { oldestStartMs } = one.waiting();
      return oldestStartMs === null ? 0 : Math.max(0, Date.now() - oldestStartMs) / 1_000;
    }),
  );
}
