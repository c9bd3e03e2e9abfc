/** What windows say of requests, summed up for Prometheus: a few series, however many visitors. */
import type { CountedWindow, WindowEvent } from "./event.ts";

/** Sums since the start, of one stream. */
export interface RequestSums {
  /** By class of status: `2xx`. */
  byClass: Map<string, number>;
  bytes: number;
}

export class RequestCounts {
  readonly streams = new Map<string, RequestSums>();

  /** Adds what a revision says beyond the one before it. Of a window's lists only. */
  add(window: CountedWindow, before: CountedWindow | null): void {
    const sums = this.streams.get(window.stream) ?? { byClass: new Map(), bytes: 0 };
    this.streams.set(window.stream, sums);
    for (const [events, sign] of [[window.events, 1], [before?.events ?? [], -1]] as const) {
      for (const event of events) addEvent(sums, event, sign);
    }
  }
}

function addEvent(sums: RequestSums, event: WindowEvent, sign: 1 | -1) {
  const { group, value = "", count = 0 } = event;
  if (group === "total") sums.bytes += sign * Number(event["bytes"] ?? 0);
  if (group !== "status" || !/^\d{3}$/.test(value)) return;
  const name = `${value[0]}xx`;
  sums.byClass.set(name, (sums.byClass.get(name) ?? 0) + sign * count);
}
