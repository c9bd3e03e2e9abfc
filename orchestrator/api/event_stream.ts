/** Events over HTTP as they happen, one JSON object a line; rows may follow theirs as raw bytes. */
import { ClientStream } from "./client_stream.ts";
import { toApiError } from "./errors.ts";
import type { ApiError } from "./events.ts";

/**
 * Resolves when the client has room for more; rejects when it has gone.
 * @param raw bytes that follow the event's line as they are; the event says how many
 */
export type Send<Event> = (event: Event, raw?: Uint8Array) => Promise<void>;

/** Every event is a line. */
export const LINES_TYPE = "application/x-ndjson";

/** The same, but that rows stand behind their event as they are: base64 costs as much as writing them. */
export const RAW_TYPE = "application/vnd.logvend.events";

export interface EventStreamOptions {
  contentType: string;
  /** A client that takes nothing for so long has gone. */
  stallMs: number;
}

/**
 * Streams what `run` sends, and what it throws as the last event.
 * @param run its signal aborts when nobody reads on
 */
export function eventStream<Event>(
  run: (send: Send<Event>, signal: AbortSignal) => Promise<void>,
  { contentType, stallMs }: EventStreamOptions,
): Response {
  const stream = new ClientStream(stallMs);
  const encoder = new TextEncoder();
  const send = (event: Event | ErrorEvent, raw?: Uint8Array) => {
    const line = encoder.encode(`${JSON.stringify(event)}\n`);
    return stream.write(raw === undefined ? line : joined(line, raw));
  };
  const whole = async () => {
    try {
      await run(send, stream.gone);
    } catch (error) {
      if (!stream.gone.aborted) await send({ type: "error", ...toApiError(error) });
    }
    stream.close();
  };
  whole().catch(() => {}); // nobody reads any more
  return new Response(stream.readable, { headers: { "content-type": contentType } });
}

type ErrorEvent = { type: "error" } & ApiError;

/** One piece: each costs a turn of everything between here and the client. */
function joined(line: Uint8Array, raw: Uint8Array): Uint8Array {
  const both = new Uint8Array(line.length + raw.length);
  both.set(line);
  both.set(raw, line.length);
  return both;
}
