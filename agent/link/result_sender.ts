/** Sends a host's answer in messages that fit, no more of them unacknowledged than agreed. */
import { MESSAGE_BYTES_MAX } from "../../protocol/wire/envelope.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { RESULTS_IN_FLIGHT_MAX } from "../../protocol/wire/messages.ts";
import type { ResultEnd, ResultMessage, ResultPart } from "../../protocol/wire/messages.ts";
import type { AnswerTable } from "../store/answer.ts";

/** What parts may take of a message: the envelope and the end need the rest. */
const PARTS_BYTES_MAX = MESSAGE_BYTES_MAX - 8 * 1024;

/** Bytes of a Parquet file in one message: 4/3 of it in base64, under PARTS_BYTES_MAX. */
const SLICE_BYTES = 80 * 1024;

/** An orchestrator that acknowledges nothing for this long is not there any more. */
const STALL_MS = 30_000;

export class ResultSender {
  private sent = 0;
  private acknowledged = 0;
  private wake: () => void = () => {};

  constructor(
    private readonly request: string,
    private readonly publish: (message: ResultMessage) => void,
  ) {}

  /** All up to message `seq` have arrived. */
  acknowledge(seq: number): void {
    this.acknowledged = Math.max(this.acknowledged, Math.min(seq + 1, this.sent));
    this.wake();
  }

  /**
   * Sends every table, and the end in the last message; a small answer is one message.
   * @throws {LogvendError} timeout, when nobody acknowledges; the reason of `signal`
   */
  async send(
    tables: readonly AnswerTable[],
    end: () => ResultEnd,
    signal: AbortSignal,
  ): Promise<void> {
    let parts: ResultPart[] = [];
    let bytes = 0;
    for (const table of tables) {
      for await (const part of partsOf(table)) {
        const size = new TextEncoder().encode(JSON.stringify(part)).length;
        if (bytes + size > PARTS_BYTES_MAX && parts.length > 0) {
          await this.emit({ parts }, signal);
          parts = [];
          bytes = 0;
        }
        parts.push(part);
        bytes += size;
      }
    }
    await this.emit({ parts, end: end() }, signal);
  }

  /** Sends an end without an answer, at once. */
  fail(end: ResultEnd): void {
    this.publish({ request: this.request, seq: this.sent++, parts: [], end });
  }

  private async emit(content: Pick<ResultMessage, "parts" | "end">, signal: AbortSignal) {
    while (this.sent - this.acknowledged >= RESULTS_IN_FLIGHT_MAX) await this.room(signal);
    signal.throwIfAborted();
    this.publish({ request: this.request, seq: this.sent++, ...content });
  }

  /** Waits for the next acknowledgement. */
  private async room(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    const timer = setTimeout(() => {
      reject(new LogvendError("timeout", `Nobody took the results for ${STALL_MS / 1_000} s`));
    }, STALL_MS);
    this.wake = resolve;
    signal.addEventListener("abort", onAbort);
    try {
      signal.throwIfAborted();
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

async function* partsOf(table: AnswerTable): AsyncGenerator<ResultPart> {
  if (table.encoding === "text") {
    yield {
      table: table.table,
      encoding: "text",
      columns: table.columns,
      values: table.values,
    };
    return;
  }
  using file = await Deno.open(table.file);
  const buffer = new Uint8Array(SLICE_BYTES);
  for (let offset = 0;;) {
    const length = await fill(file, buffer);
    if (length === 0) return;
    const base64 = buffer.subarray(0, length).toBase64();
    yield { table: table.table, encoding: "parquet", offset, base64 };
    offset += length;
  }
}

/** Reads until the buffer is full or the file ends. */
async function fill(file: Deno.FsFile, buffer: Uint8Array): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const count = await file.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
  }
  return length;
}
