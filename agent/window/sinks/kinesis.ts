/**
 * Kinesis Data Streams: the id as partition key, what found no room again.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
 */
import { z } from "zod";
import type { SignRequest } from "./aws.ts";
import type { Post } from "./https.ts";
import { SinkError, withoutClosing } from "./sink.ts";
import type { Outgoing, Rejected, Sent, Sink } from "./sink.ts";

export interface KinesisOptions {
  url: string;
  stream: string;
  sign: SignRequest;
  post: Post;
}

/** Of one request. */
const RECORDS_MAX = 500;
const REQUEST_BYTES_MAX = 4_000_000;

/** Of one record, with its key. */
const RECORD_BYTES_MAX = 1_000_000;

const Answer = z.object({
  Records: z.array(
    z.object({ ErrorCode: z.string().nullish(), ErrorMessage: z.string().nullish() }),
  ),
});

const Failure = z.object({ __type: z.string(), message: z.string().optional() });

/** Failures for which a record is to blame; others pass, or are those of the account. */
const BLAMING = new Set([
  "ValidationException",
  "InvalidArgumentException",
  "SerializationException",
]);

/** Nothing is kept between requests. */
export function kinesisSink(options: KinesisOptions): Sink {
  return withoutClosing(async (events, signal) => {
    const rejected: Rejected[] = [];
    const again: Outgoing[] = [];
    let why: string | undefined;
    for (const some of requestsOf(events, rejected)) {
      const sent = await put(options, some, signal);
      again.push(...sent.again);
      why ??= sent.why;
    }
    return { rejected, again, why };
  });
}

/** Events in as many requests as they need. */
function requestsOf(events: readonly Outgoing[], rejected: Rejected[]): Outgoing[][] {
  const requests: Outgoing[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const size = new TextEncoder().encode(event.body).length + event.id.length;
    if (size > RECORD_BYTES_MAX) {
      rejected.push({ event, reason: `longer than ${RECORD_BYTES_MAX} bytes` });
      continue;
    }
    const last = requests.at(-1);
    if (last === undefined || last.length === RECORDS_MAX || bytes + size > REQUEST_BYTES_MAX) {
      requests.push([event]);
      bytes = size;
    } else {
      last.push(event);
      bytes += size;
    }
  }
  return requests;
}

async function put(
  { url: text, stream, sign, post }: KinesisOptions,
  events: readonly Outgoing[],
  signal: AbortSignal,
): Promise<Sent> {
  const url = new URL(text);
  const records = events.map(({ id, body }) => ({
    Data: new TextEncoder().encode(body).toBase64(),
    PartitionKey: id,
  }));
  const body = JSON.stringify({ StreamName: stream, Records: records });
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": "Kinesis_20131202.PutRecords",
  };
  const signed = await sign({ url, headers, body });
  const response = await post(url, { headers: signed, body }, signal);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const { data } = Failure.safeParse(answer);
    const type = data?.__type.split("#").at(-1) ?? String(response.status);
    throw new SinkError(`${url.host} answered ${type}: ${data?.message ?? ""}`, {
      blames: BLAMING.has(type),
    });
  }
  const { Records } = Answer.parse(answer);
  if (Records.length !== events.length) {
    throw new SinkError(`${url.host} answered of other records`);
  }
  const first = Records.find(({ ErrorCode }) => typeof ErrorCode === "string");
  return {
    rejected: [],
    again: events.filter((_, i) => typeof Records[i]?.ErrorCode === "string"),
    why: first === undefined ? undefined : `${first.ErrorCode}: ${first.ErrorMessage ?? ""}`,
  };
}
