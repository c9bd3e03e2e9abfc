/** What windows say of requests, summed up for Prometheus: a few series, however many visitors. */
import type { CountedWindow, WindowEvent } from "./event.ts";

/** Sums since the start, of one stream. */
export interface RequestSums {
  /** By class of status: `2xx`. */
  byClass: Map<string, number>;
  bytes: number;
  /** How long requests took, of those whose time was logged. */
  latency: Latency;
}

/** A histogram. */
export interface Latency {
  count: number;
  sumS: number;
  /** By bound in seconds, ascending: how many took no longer. */
  within: Map<number, number>;
}

export class RequestCounts {
  readonly streams = new Map<string, RequestSums>();

  /** Adds what a revision says beyond the one before it. Of a window's lists only. */
  add(window: CountedWindow, before: CountedWindow | null): void {
    const sums = this.streams.get(window.stream) ?? newSums();
    this.streams.set(window.stream, sums);
    for (const [events, sign] of [[window.events, 1], [before?.events ?? [], -1]] as const) {
      for (const event of events) addEvent(sums, event, sign);
    }
  }
}

function newSums(): RequestSums {
  return { byClass: new Map(), bytes: 0, latency: { count: 0, sumS: 0, within: new Map() } };
}

function addEvent(sums: RequestSums, event: WindowEvent, sign: 1 | -1) {
  const { group, value = "", count = 0 } = event;
  if (group === "total") sums.bytes += sign * Number(event["bytes"] ?? 0);
  if (group === "latency") addLatency(sums.latency, event, sign);
  if (group !== "status" || !/^\d{3}$/.test(value)) return;
  const name = `${value[0]}xx`;
  sums.byClass.set(name, (sums.byClass.get(name) ?? 0) + sign * count);
}

/** `ms_250` of a window's list. */
const BOUND = /^ms_(\d+)$/;

function addLatency(latency: Latency, event: WindowEvent, sign: 1 | -1) {
  const { count = 0, sum_s = 0, within = {} } = event;
  latency.count += sign * count;
  latency.sumS += sign * Number(sum_s);
  for (const [name, value] of Object.entries(within ?? {})) {
    const [, ms] = BOUND.exec(name) ?? [];
    if (ms === undefined) continue;
    const bound = Number(ms) / 1_000;
    latency.within.set(bound, (latency.within.get(bound) ?? 0) + sign * Number(value));
  }
}
