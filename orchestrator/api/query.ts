/** `POST /v1/query`: SQL in, rows out, whole or as a stream of events. */
import { LogvendError } from "../../protocol/errors.ts";
import { ROW_FORMATS } from "../../queries/answer/format.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { Answer } from "../fanout/answer.ts";
import { archiveCost } from "../fanout/archive/archive_cost.ts";
import type { ArchiveProgress } from "../fanout/archive/archive_work.ts";
import type { Coverage } from "../fanout/coverage.ts";
import type { Queries, Question } from "../fanout/queries.ts";
import { streamed } from "./client_stream.ts";
import { eventStream, LINES_TYPE, RAW_TYPE } from "./event_stream.ts";
import type { Send } from "./event_stream.ts";
import type { AnswerEnd, Explanation, QueryEvent, RawQueryEvent } from "./events.ts";
import { signedText } from "./signed_text.ts";

/** Rows of base64-coded lines of about this size. */
const DATA_BYTES = 48 * 1024;

/** Missing hosts named in the header of a plain answer; servers limit the size of headers. */
const HEADER_MISSING_MAX = 20;

const CONTENT_TYPES: Readonly<Record<RowFormat, string>> = {
  json: "application/json",
  jsonl: "application/jsonl",
  csv: "text/csv; charset=utf-8",
  parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.stream",
};

/**
 * Answers one request.
 * @param stallMs a client that takes nothing for so long has gone
 * @throws {LogvendError} for what fails before the first byte of the answer
 */
export async function answerQuery(
  queries: Queries,
  request: Request,
  stallMs: number,
): Promise<Response> {
  const parameters = new URL(request.url).searchParams;
  const format = formatOf(parameters.get("format") ?? "json");
  const question = await signedText(request);
  if (parameters.has("explain")) return await explain(queries, question);
  const wanted = { question, format, interim: parameters.has("interim") };
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes(RAW_TYPE)) {
    return eventStream<RawQueryEvent>(
      (send, signal) => streamAnswer(queries, { ...wanted, signal, send, sendRows: rawRows(send) }),
      { contentType: RAW_TYPE, stallMs },
    );
  }
  if (accept.includes(LINES_TYPE)) {
    return eventStream<QueryEvent>(
      (send, signal) =>
        streamAnswer(queries, { ...wanted, signal, send, sendRows: rowLines(send) }),
      { contentType: LINES_TYPE, stallMs },
    );
  }
  return await plain(queries, { question, format, stallMs }, request.signal);
}

interface Wanted {
  question: Question;
  format: RowFormat;
}

function formatOf(text: string): RowFormat {
  const format = ROW_FORMATS.find((name) => name === text);
  if (format === undefined) {
    throw new LogvendError("usage", `Unknown format "${text}"; wanted ${ROW_FORMATS.join(", ")}`);
  }
  return format;
}

async function explain(queries: Queries, question: Question): Promise<Response> {
  const explanation = await queries.explain(question);
  const { queryId, plan, audience, reading, archive, prices, refused, unchecked } = explanation;
  const { unknownHosts, ...sums } = reading;
  const body: Explanation = {
    query_id: queryId,
    mode: plan.mode,
    reason: plan.reason,
    range: plan.range,
    columns: plan.columns,
    hosts: audience.asked.map(({ presence }) => presence.host),
    pruned: audience.pruned,
    missing: audience.missing,
    refused,
    unchecked,
    estimate: { ...sums, unknown_hosts: unknownHosts },
    ...(archive === null ? {} : { archive: archiveCost(archive, prices) }),
    partials: plan.partials.map(({ table, sql }) => ({ table, sql })),
    merge_sql: plan.mergeSql,
  };
  return Response.json(body);
}

/**
 * The rows as the body; 200 also when hosts are missing: `Logvend-Answer` says so.
 * @param signal aborts when the client goes away
 */
async function plain(
  queries: Queries,
  { question, format, stallMs }: Wanted & { stallMs: number },
  signal: AbortSignal,
): Promise<Response> {
  const answer = await queries.ask(question, { signal });
  return new Response(streamed(plainBody(answer, format), stallMs), {
    headers: {
      "content-type": CONTENT_TYPES[format],
      "logvend-answer": answer.complete ? "complete" : "partial",
      "logvend-query": answer.facts.queryId,
      "logvend-coverage": coverageHeader(answer.facts.coverage),
    },
  });
}

/** json is one object as `logvend query -o json` prints it; the others are the rows alone. */
async function* plainBody(answer: Answer, format: RowFormat) {
  await using owned = answer;
  if (format !== "json") {
    yield* owned.rows(format);
    return;
  }
  const { type: _, ...rest } = endOf(owned);
  const encoder = new TextEncoder();
  yield encoder.encode(`{"columns":${JSON.stringify(rest.columns)},"rows":`);
  yield* owned.rows("json");
  const { coverage, mode, query_id, elapsed_ms } = rest;
  const tail = JSON.stringify({ coverage, mode, query_id, elapsed_ms });
  yield encoder.encode(`,${tail.slice(1)}\n`);
}

/** HTTP headers are ASCII: JSON escapes the rest. */
function coverageHeader(coverage: Coverage): string {
  const missing = coverage.missing.slice(0, HEADER_MISSING_MAX);
  const behind = coverage.behind.slice(0, HEADER_MISSING_MAX);
  return JSON.stringify({ ...coverage, missing, behind })
    .replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

interface Streamed extends Wanted {
  /** Whether the answer is wanted before it is whole. */
  interim: boolean;
  signal: AbortSignal;
  send(event: Exclude<QueryEvent, { type: "data" }>): Promise<void>;
  sendRows: SendRows;
}

/** @param first what the first piece says beside the rows */
type SendRows = (rows: Uint8Array, first: Pick<QueryData, "columns">) => Promise<void>;
type QueryData = Extract<QueryEvent, { type: "data" }>;

function rawRows(send: Send<RawQueryEvent>): SendRows {
  return (rows, first) => send({ type: "data", length: rows.length, ...first }, rows);
}

function rowLines(send: Send<QueryEvent>): SendRows {
  return async (rows, first) => {
    for (let at = 0; at < rows.length; at += DATA_BYTES) {
      const base64 = rows.subarray(at, at + DATA_BYTES).toBase64();
      await send({ type: "data", base64, ...(at === 0 ? first : {}) });
    }
  };
}

async function streamAnswer(queries: Queries, streamed: Streamed) {
  const { question, format, interim, signal, send, sendRows } = streamed;
  let accepted = false;
  const tell = (event: Parameters<Streamed["send"]>[0]) => void send(event).catch(() => {}); // `closed` has seen it
  await using answer = await queries.ask(question, {
    signal,
    onProgress: ({ queryId, mode, asked, answered, rowsScanned, archive }) => {
      tell(
        accepted
          ? { type: "progress", answered, asked, rows_scanned: rowsScanned, ...progressOf(archive) }
          : { type: "accepted", query_id: queryId, mode, asked },
      );
      accepted = true;
    },
    onInterim: interim
      ? ({ columns, ...rest }) => tell({ type: "interim", columns: [...columns], ...rest })
      : undefined,
  });
  let first: Pick<QueryData, "columns"> = { columns: answer.facts.columns };
  for await (const bytes of answer.rows(format)) {
    await sendRows(bytes, first);
    first = {};
  }
  await send(endOf(answer));
}

function progressOf(archive: ArchiveProgress | null) {
  if (archive === null) return {};
  const { chunks, chunksTotal: chunks_total, bytes, bytesTotal: bytes_total } = archive;
  return { archive: { chunks, chunks_total, bytes, bytes_total } };
}

function endOf({ facts }: Answer): AnswerEnd {
  return {
    type: "end",
    query_id: facts.queryId,
    mode: facts.mode,
    range: facts.range,
    columns: facts.columns,
    coverage: facts.coverage,
    elapsed_ms: facts.elapsedMs,
  };
}
