/**
 * Splunk's HTTP Event Collector: what it has said to be indexed is taken, not what it has received.
 * https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck
 */
import { z } from "zod";
import type { Post } from "./https.ts";
import { httpError, SinkError, withoutClosing } from "./sink.ts";
import type { Outgoing, Sent, Sink } from "./sink.ts";
import { ALL_TAKEN } from "./sink.ts";

export interface SplunkOptions {
  url: string;
  token: string;
  /** Null: that of the token. */
  index: string | null;
  sourcetype: string;
  /** Whether the token has acknowledgements. */
  acknowledges: boolean;
  post: Post;
}

/** Between two questions whether events are indexed: Splunk looks itself every ten seconds or so. */
const ASK_EVERY_MS = { first: 100, last: 2_000 };

/** "Invalid data format", "Event field is required", "… cannot be blank", "Error in handling indexed fields" */
const EVENT_AT_FAULT = new Set([6, 12, 13, 15]);

const Answer = z.object({
  code: z.number(),
  text: z.string().optional(),
  ackId: z.number().optional(),
  "invalid-event-number": z.number().optional(),
});

const Acks = z.object({ acks: z.record(z.string(), z.boolean()) });

/** Has one channel for as long as it lives: acknowledgements belong to it. */
export function splunkSink(options: SplunkOptions): Sink {
  const channel = crypto.randomUUID();
  const base = options.url.endsWith("/") ? options.url : `${options.url}/`;
  const headers = {
    authorization: `Splunk ${options.token}`,
    "content-type": "application/json",
    "x-splunk-request-channel": channel,
  };
  const post = (path: string, body: string, signal: AbortSignal) =>
    options.post(new URL(path, base), { headers, body }, signal);
  return withoutClosing(async (events, signal) => {
    const body = events.map((event) => eventText(event, options)).join("\n");
    const response = await post("services/collector/event", body, signal);
    if (response.status === 400) return await refusalOf(response, events);
    if (!response.ok) throw await httpError(response, new URL(base).host);
    const { ackId } = Answer.parse(await response.json());
    if (!options.acknowledges) return ALL_TAKEN;
    if (ackId === undefined) {
      throw new SinkError("The token has no acknowledgements: enable them, or set ack: false");
    }
    const isIndexed = async () => {
      const path = `services/collector/ack?channel=${channel}`;
      const answer = await post(path, JSON.stringify({ acks: [ackId] }), signal);
      if (!answer.ok) throw await httpError(answer, new URL(base).host);
      return Acks.parse(await answer.json()).acks[String(ackId)] === true;
    };
    for (let waitMs = ASK_EVERY_MS.first; !await isIndexed();) {
      await pause(waitMs, signal);
      waitMs = Math.min(ASK_EVERY_MS.last, waitMs * 2);
    }
    return ALL_TAKEN;
  });
}

/** It names the first event that is at fault, and says nothing of those behind it. */
async function refusalOf(response: Response, events: readonly Outgoing[]): Promise<Sent> {
  const text = await response.text();
  const { data } = Answer.safeParse(parsed(text));
  const number = data?.["invalid-event-number"];
  const event = number === undefined ? undefined : events[number];
  if (data === undefined || event === undefined || !EVENT_AT_FAULT.has(data.code)) {
    const blames = data !== undefined && EVENT_AT_FAULT.has(data.code);
    throw new SinkError(`Splunk answered 400: ${text.slice(0, 300)}`, { blames });
  }
  const reason = `${data.code} ${data.text ?? ""}`;
  return { rejected: [{ event, reason }], again: events.filter((other) => other !== event) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function eventText(event: Outgoing, { index, sourcetype }: SplunkOptions): string {
  const document = JSON.parse(event.body);
  return JSON.stringify({
    time: Date.parse(event.at) / 1_000,
    host: document.host,
    source: "logvend",
    sourcetype,
    ...(index === null ? {} : { index }),
    event: document,
  });
}

async function pause(ms: number, signal: AbortSignal) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
