/** Events over HTTP as they happen, one JSON object a line. */
import { toApiError } from "./errors.ts";
import type { ApiError } from "./events.ts";

/** Resolves when the client has room for more; rejects when it has gone. */
export type Send<Event> = (event: Event) => Promise<void>;

/**
 * Streams what `run` sends, and what it throws as the last event.
 * @param run its signal aborts when nobody reads on
 */
export function eventStream<Event>(
  run: (send: Send<Event>, signal: AbortSignal) => Promise<void>,
): Response {
  const gone = new AbortController();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const send = (event: Event | ErrorEvent) =>
    writer.write(encoder.encode(`${JSON.stringify(event)}\n`));
  const lost = () => gone.abort();
  writer.closed.catch(lost);
  const whole = async () => {
    try {
      await run(send, gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) await send({ type: "error", ...toApiError(error) });
    }
    await writer.close();
  };
  whole().catch(lost); // nobody reads any more
  return new Response(readable, { headers: { "content-type": "application/x-ndjson" } });
}

type ErrorEvent = { type: "error" } & ApiError;
