/** The HTTP API as the command line uses it. */
import { z } from "zod";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { fromWireError } from "../../protocol/wire/wire_error.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import { LINES_TYPE, RAW_TYPE } from "../api/event_stream.ts";
import type { ErasureRecord } from "../../protocol/signing/erasure.ts";
import {
  ErasureList,
  ErasureStatus,
  ErrorBody,
  Explanation,
  HostList,
  RawQueryEvent,
  TailEvent,
} from "../api/events.ts";
import type { ApiError, HostRecord } from "../api/events.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import { QueryRecord } from "../state/queries.ts";
import { EventReader } from "./event_reader.ts";

const QueryList = z.object({ queries: z.array(QueryRecord) });

/** A question as it was signed, if that is true. */
const SignedBefore = z.object({ sql: z.string(), token: z.string() });
type SignedBefore = z.infer<typeof SignedBefore>;

/** What is said of a query but that it failed; `data` with the rows themselves. */
export type ClientEvent =
  | Exclude<RawQueryEvent, { type: "error" | "data" }>
  | { type: "data"; bytes: Uint8Array<ArrayBuffer>; columns?: Column[] | undefined };

export interface QueryRequest {
  sql: string;
  token: string;
  format: RowFormat;
  signal: AbortSignal;
  /** Packed tables (protocol/wire/broadcast.ts). */
  broadcast?: string | undefined;
  /** Whether the answer is wanted before it is whole. @default false */
  interim?: boolean;
}

export class ApiClient {
  /** @param url of the orchestrator */
  constructor(private readonly url: string) {
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      throw new LogvendError("usage", `--url ${url}: wanted a URL, e.g. http://127.0.0.1:8080`);
    }
  }

  /** @throws {LogvendError} unavailable */
  async hosts(signal: AbortSignal): Promise<HostRecord[]> {
    const response = await this.fetch("/v1/hosts", { signal });
    return this.parse(HostList, await response.json()).hosts;
  }

  /** The newest ones. @throws {LogvendError} the orchestrator's */
  async queryRecords(limit: string, signal: AbortSignal): Promise<QueryRecord[]> {
    const response = await this.fetch(`/v1/queries?limit=${encodeURIComponent(limit)}`, { signal });
    return this.parse(QueryList, await response.json()).queries;
  }

  /** @throws {LogvendError} the orchestrator's */
  async queryRecord(id: string, signal: AbortSignal): Promise<QueryRecord> {
    const response = await this.fetch(`/v1/queries/${encodeURIComponent(id)}`, { signal });
    return this.parse(QueryRecord, await response.json());
  }

  /** What one's own key has signed before, to be checked. @throws {LogvendError} the orchestrator's */
  async signedBefore(
    { id, token, signal }: { id: string; token: string; signal: AbortSignal },
  ): Promise<SignedBefore> {
    const headers = { "logvend-signature": token };
    const path = `/v1/queries/${encodeURIComponent(id)}/signed`;
    const response = await this.fetch(path, { method: "POST", headers, signal });
    return this.parse(SignedBefore, await response.json());
  }

  /** Retires hosts, named one a line. @throws {LogvendError} the orchestrator's */
  async retire(request: { names: string; token: string; signal: AbortSignal }): Promise<void> {
    const { names: sql, token, signal } = request;
    await this.post("/v1/hosts/retire", { sql, token, signal }, "application/json");
  }

  /** Has rows erased; the body is the condition. @throws {LogvendError} the orchestrator's */
  async erase(request: { record: ErasureRecord; signal: AbortSignal }): Promise<ErasureStatus> {
    const { record: { where: sql, token }, signal } = request;
    const response = await this.post("/v1/erasures", { sql, token, signal }, "application/json");
    return this.parse(ErasureStatus, await response.json());
  }

  /** How one goes, by its id or the beginning of it. @throws {LogvendError} the orchestrator's */
  async erasure(id: string, signal: AbortSignal): Promise<ErasureStatus> {
    const response = await this.fetch(`/v1/erasures/${encodeURIComponent(id)}`, { signal });
    return this.parse(ErasureStatus, await response.json());
  }

  /** All of them, the newest first. @throws {LogvendError} the orchestrator's */
  async erasures(signal: AbortSignal): Promise<ErasureStatus[]> {
    const response = await this.fetch("/v1/erasures", { signal });
    return this.parse(ErasureList, await response.json()).erasures;
  }

  /** Ends a running query. @throws {LogvendError} the orchestrator's */
  async cancel({ id, token, signal }: { id: string; token: string; signal: AbortSignal }) {
    const headers = { "logvend-signature": token };
    await this.fetch(`/v1/queries/${id}/cancel`, { method: "POST", headers, signal });
  }

  /** @throws {LogvendError} the orchestrator's */
  async explain(request: Omit<QueryRequest, "format">): Promise<Explanation> {
    const response = await this.post("/v1/query?explain=1", request, "application/json");
    return this.parse(Explanation, await response.json());
  }

  /** The events of a query; ends with `end`. @throws {LogvendError} the orchestrator's */
  async *query(request: QueryRequest): AsyncGenerator<ClientEvent> {
    const path = `/v1/query?format=${request.format}${request.interim ? "&interim=1" : ""}`;
    const response = await this.post(path, request, RAW_TYPE);
    for await (const { line, reader } of this.lines(response, request.signal)) {
      const event = this.parse(RawQueryEvent, JSON.parse(line));
      if (event.type === "error") throw errorOf(event);
      if (event.type !== "data") {
        yield event;
        if (event.type === "end") return;
        continue;
      }
      let { columns } = event;
      for await (const bytes of reader.bytes(event.length)) {
        yield { type: "data", bytes, columns };
        columns = undefined;
      }
    }
    throw new LogvendError("unavailable", "The answer was cut off: the orchestrator went away");
  }

  /** The events of a tail, until the signal aborts. @throws {LogvendError} the orchestrator's */
  async *tail(
    request: Omit<QueryRequest, "format">,
  ): AsyncGenerator<Exclude<TailEvent, { type: "error" }>> {
    const response = await this.post("/v1/tail", request, LINES_TYPE);
    for await (const { line } of this.lines(response, request.signal)) {
      const event = this.parse(TailEvent, JSON.parse(line));
      if (event.type === "error") throw errorOf(event);
      yield event;
    }
    throw new LogvendError("unavailable", "The tail was cut off: the orchestrator went away");
  }

  private post(path: string, request: Omit<QueryRequest, "format">, accept: string) {
    const { sql, token, signal, broadcast } = request;
    const headers = { accept, "logvend-signature": token };
    return this.fetch(path, {
      method: "POST",
      signal,
      ...(broadcast === undefined ? { body: sql, headers } : {
        body: JSON.stringify({ sql, broadcast }),
        headers: { ...headers, "content-type": "application/json" },
      }),
    });
  }

  private async fetch(path: string, init: RequestInit & { signal: AbortSignal }) {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.url), init);
    } catch (cause) {
      init.signal.throwIfAborted();
      // The last of a chain of "…: …: Connection refused (os error 111)".
      const whole = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
      const reason = messageOf(whole).split(": ").at(-1);
      throw new LogvendError(
        "unavailable",
        `Cannot reach the orchestrator at ${this.url}: ${reason}. Is logvend serve running? ` +
          "(--url or LOGVEND_URL says where)",
        { cause },
      );
    }
    if (response.ok) return response;
    const body = ErrorBody.safeParse(await response.json().catch(() => null));
    if (body.success) throw errorOf(body.data.error);
    throw new LogvendError("unavailable", `${this.url} answers ${response.status}: no logvend`);
  }

  /** Lines, and what reads on behind them. */
  private async *lines(response: Response, signal: AbortSignal) {
    await using reader = new EventReader(
      this.whole(response.body ?? ReadableStream.from([]), signal),
    );
    for (let line; (line = await reader.line()) !== null;) yield { line, reader };
  }

  /** What comes. @throws {LogvendError} unavailable, when it is cut off */
  private async *whole<T>(body: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    try {
      yield* body;
    } catch (cause) {
      signal.throwIfAborted();
      throw new LogvendError("unavailable", `The answer was cut off: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  private parse<T>(schema: z.ZodType<T>, value: unknown): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new LogvendError(
      "unavailable",
      `${this.url} answers in another form than this logvend knows: use the same version`,
      { cause: parsed.error },
    );
  }
}

function errorOf(error: ApiError): LogvendError {
  return error.coverage === undefined ? fromWireError(error) : new UnansweredError(error.coverage);
}
