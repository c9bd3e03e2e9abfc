/** `POST /v1/tail`: a condition in, new lines of the fleet out, as they come. */
import type { HostLine } from "../fanout/line_merger.ts";
import type { Tails } from "../fanout/tails.ts";
import { eventStream, LINES_TYPE } from "./event_stream.ts";
import type { TailEvent } from "./events.ts";
import { signedText } from "./signed_text.ts";

/** Lines of one event: a line of JSON that nobody minds to parse. */
const EVENT_LINES_MAX = 500;

/**
 * Streams TailEvents until the client goes away.
 * @param stallMs one that takes nothing for so long has gone
 * @throws {LogvendError} without a signature
 */
export async function answerTail(
  tails: Tails,
  request: Request,
  stallMs: number,
): Promise<Response> {
  const { sql: condition, token } = await signedText(request);
  return eventStream<TailEvent>((send, signal) =>
    tails.tail({ condition, token }, {
      signal,
      started: ({ queryId, ...facts }) => send({ type: "started", query_id: queryId, ...facts }),
      lines: async (lines) => {
        for (let at = 0; at < lines.length; at += EVENT_LINES_MAX) {
          const some = lines.slice(at, at + EVENT_LINES_MAX).map(shown);
          await send({ type: "lines", lines: some });
        }
      },
      joined: (hosts) => send({ type: "joined", hosts: [...hosts] }),
      missing: (missing) => send({ type: "missing", missing: [...missing] }),
      leftOut: ({ leftOut, unchecked }) => send({ type: "left_out", left_out: leftOut, unchecked }),
    }), { contentType: LINES_TYPE, stallMs });
}

function shown({ host, tsUs, line }: HostLine) {
  return { ts: new Date(tsUs / 1_000).toISOString(), host, line };
}
