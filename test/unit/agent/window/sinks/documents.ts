/** Documents for sinks in tests. */
import { postClient } from "../../../../../agent/window/sinks/https.ts";
import type { Outgoing } from "../../../../../agent/window/sinks/sink.ts";

/** `count` events, of which each says its number. */
export function outgoing(count: number, from = 0, kind: Outgoing["kind"] = "event"): Outgoing[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `id-${from + i}`,
    revision: 1,
    kind,
    at: "2026-11-22T18:00:00Z",
    body: JSON.stringify({ id: `id-${from + i}`, count: from + i, text: 'a "quoted" ü' }),
  }));
}

/** To servers without TLS. */
export const { post: POST } = postClient([]);

/** Never aborted. */
export const NO_END = new AbortController().signal;
