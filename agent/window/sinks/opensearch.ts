/**
 * OpenSearch and Elasticsearch: bulk requests, an index a day, the revision as external version, so
 * that there is one document of each id, the newest.
 * https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
 */
import { z } from "zod";
import type { Schema } from "../documents.ts";
import type { SignRequest } from "./aws.ts";
import type { Post } from "./https.ts";
import { httpError, SinkError, withoutClosing } from "./sink.ts";
import type { Outgoing, Rejected, Sent, Sink } from "./sink.ts";

export interface OpenSearchOptions {
  url: string;
  /** Of our own schema: `<index>-windows-2026.11.28`, `<index>-rows-2026.11.28`. */
  index: string;
  schema: Schema;
  /** Headers of a request: of an account, of a signature. */
  authorize: SignRequest;
  post: Post;
}

/** Another host's document with the same or a newer version is there: there is nothing left to do. */
const HAS_NEWER = 409;

/** Of a document that will never be taken; whatever else is no success is the cluster's trouble. */
const AT_FAULT = new Set([400, 413]);

/** Answers with 400 that say nothing of the document: its index is closed, or one more may not be made. */
const OF_INDICES = new Set([
  "index_closed_exception",
  "validation_exception",
  "cluster_block_exception",
  "invalid_index_name_exception",
]);

const BulkAnswer = z.object({
  items: z.array(z.object({
    index: z.object({
      status: z.number(),
      error: z.object({ type: z.string(), reason: z.string().nullish() }).optional(),
    }),
  })),
});

/** Nothing is kept between requests. */
export function openSearchSink(options: OpenSearchOptions): Sink {
  const url = new URL("_bulk", options.url.endsWith("/") ? options.url : `${options.url}/`);
  return withoutClosing(async (events, signal) => {
    const body = events.map((event) => `${actionOf(event, options)}\n${event.body}\n`).join("");
    const headers = { "content-type": "application/x-ndjson" };
    const signed = await options.authorize({ url, headers, body });
    const response = await options.post(url, { headers: signed, body }, signal);
    if (!response.ok) throw await httpError(response, url.host);
    const { data, error } = BulkAnswer.safeParse(await response.json());
    if (data === undefined || data.items.length !== events.length) {
      throw new SinkError(`${url.host} answered something else than a bulk request has: ${error}`);
    }
    return sentOf(events, data.items.map(({ index }) => index));
  });
}

type Item = z.infer<typeof BulkAnswer>["items"][number]["index"];

function sentOf(events: readonly Outgoing[], items: readonly Item[]): Sent {
  const rejected: Rejected[] = [];
  const again: Outgoing[] = [];
  let why: string | undefined;
  for (const [i, event] of events.entries()) {
    const { status = 0, error } = items[i] ?? {};
    if (status === HAS_NEWER || (status >= 200 && status < 300)) continue;
    const reason = `${status} ${error?.type}: ${error?.reason}`;
    if (AT_FAULT.has(status) && !OF_INDICES.has(error?.type ?? "")) {
      rejected.push({ event, reason });
    } else {
      again.push(event);
      why ??= reason;
    }
  }
  return { rejected, again, why };
}

function actionOf(event: Outgoing, options: OpenSearchOptions): string {
  const { id, revision } = event;
  return JSON.stringify({
    index: {
      _index: indexOf(event, options),
      _id: id,
      version: revision,
      version_type: "external",
    },
  });
}

/** By the day of the window, UTC; those of the reference have its names. */
function indexOf(
  { kind, at }: Outgoing,
  { index, schema }: Pick<OpenSearchOptions, "index" | "schema">,
): string {
  const day = at.slice(0, 10).replaceAll("-", ".");
  if (kind === "row") return `${index}-rows-${day}`;
  if (schema === "logvend") return `${index}-windows-${day}`;
  return kind === "place" ? `aggregated-geoip-${day}` : `aggregated-stats-${day}`;
}
