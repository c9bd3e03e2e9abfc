/** Turns blocks of whole lines into batches of columns and rejects for the store. */
import { redactedLayout } from "../../protocol/streams.ts";
import type { AccessRows, Batch, Reject } from "../store/batch.ts";
import type { Cut } from "./blocks.ts";
import { createLineReader } from "./formats/redacted.ts";
import type { AccessRow, RejectReason } from "./formats/row.ts";
import { lastBytes, TAIL_BYTES } from "./identity.ts";
import type { LineForm } from "./line_form.ts";
import { lineEndAfter, recordEnd } from "./records.ts";
import { keepableReject } from "./redacted_reject.ts";

/**
 * More lines in a batch make the agent deaf for longer, as parsing does not yield, and its heap
 * larger: what lives through several collections is freed late. One DuckDB data chunk of rows.
 */
const BATCH_LINES_MAX = 2_048;

const LINE_END = 0x0a;

/** A cut that is lines or a reject. */
export type LineCut = Exclude<Cut, { kind: "more" }>;

/** Where a cut stands in its file. */
export interface CutBytes {
  cut: LineCut;
  /** The bytes the cut was made from; its lines are at their front. */
  window: Uint8Array;
  /** The up to 4,096 bytes before the window. */
  before: Uint8Array;
}

/** Makes the batches of one file generation. */
export class BatchMaker {
  private readonly read;
  private readonly strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  private readonly lossy = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Time of the last good line; rejects take it. */
  private lastTs: bigint | null = null;

  constructor(
    private readonly generation: string,
    private readonly form: LineForm,
    private readonly nowMs: () => number,
  ) {
    this.read = createLineReader(form.format, form.redactor);
  }

  /** The batches of a cut, in order. */
  *batches({ cut, window, before }: CutBytes): Generator<Batch> {
    const bytes = window.subarray(0, cut.consumed);
    if (cut.kind === "reject") {
      const batch = this.emptyBatch(cut.offset);
      this.reject(batch, cut.reason, cut.line, cut.length);
      yield { ...batch, tail: lastBytes(before, bytes, TAIL_BYTES) };
      return;
    }
    const { records } = this.form;
    const text = records === null ? this.textOf(bytes) : null;
    let batch = this.emptyBatch(cut.offset);
    for (let start = 0, textStart = 0; start < bytes.length;) {
      const next = records === null ? lineEndAfter(bytes, start) : recordEnd(bytes, start, records);
      const line = bytes.subarray(start, bytes[next - 1] === LINE_END ? next - 1 : next);
      if (text === null) {
        this.add(batch, { line, text: this.textOf(line), length: next - start });
      } else {
        const textEnd = bytes[next - 1] === LINE_END ? text.indexOf("\n", textStart) : text.length;
        this.add(batch, { line, text: text.slice(textStart, textEnd), length: next - start });
        textStart = textEnd + 1;
      }
      start = next;
      if (batch.lines === BATCH_LINES_MAX || start === bytes.length) {
        yield { ...batch, tail: lastBytes(before, bytes.subarray(0, start), TAIL_BYTES) };
        batch = this.emptyBatch(cut.offset + start);
      }
    }
  }

  private emptyBatch(offset: number): Batch {
    return {
      generation: this.generation,
      startOffset: offset,
      endOffset: offset,
      lines: 0,
      rows: emptyRows(),
      rejects: [],
      dropped: { ts: [], rule: [], line_length: [] },
      tail: new Uint8Array(),
    };
  }

  private add(batch: Batch, { line: bytes, text, length }: LineText) {
    const read = this.read(text ?? this.lossy.decode(bytes));
    if (typeof read === "string") {
      this.reject(batch, read, bytes.slice(), length);
      return;
    }
    const { row, line, isRedacted } = read;
    if (text === null && !isRedacted) row.layout = null;
    this.lastTs = row.ts;
    push(batch.rows, row);
    batch.rows.layout.push(isRedacted ? redactedLayout(row.layout) : row.layout);
    batch.rows.line_text.push(row.layout === null ? line : null);
    batch.rows.line_raw.push(text === null && !isRedacted ? bytes.slice() : null);
    batch.rows.line_offset.push(batch.endOffset);
    batch.rows.line_length.push(length);
    batch.lines++;
    batch.endOffset += length;
  }

  private reject(batch: Batch, reason: RejectReason, bytes: Uint8Array, length: number) {
    const ts = this.lastTs ?? BigInt(this.nowMs()) * 1_000n;
    const line = keepableReject({ reason, line: bytes, length }, this.form.redactor);
    const reject: Reject = { ts, reason, line, line_offset: batch.endOffset, length };
    batch.rejects.push(reject);
    batch.lines++;
    batch.endOffset += length;
  }

  /** The text of valid UTF-8, else null. */
  private textOf(bytes: Uint8Array): string | null {
    try {
      return this.strict.decode(bytes);
    } catch {
      return null; // the decoder's way to say that the bytes are no UTF-8
    }
  }
}

interface LineText {
  line: Uint8Array;
  text: string | null;
  /** Bytes with the line end. */
  length: number;
}

function emptyRows(): AccessRows {
  return {
    ts: [],
    remote_addr: [],
    remote_user: [],
    http_method: [],
    request: [],
    http_version: [],
    status: [],
    body_bytes_sent: [],
    http_referer: [],
    http_user_agent: [],
    request_time_ms: [],
    time_zone_min: [],
    layout: [],
    line_text: [],
    line_raw: [],
    line_offset: [],
    line_length: [],
  };
}

function push(rows: AccessRows, row: AccessRow) {
  rows.ts.push(row.ts);
  rows.remote_addr.push(row.remote_addr);
  rows.remote_user.push(row.remote_user);
  rows.http_method.push(row.http_method);
  rows.request.push(row.request);
  rows.http_version.push(row.http_version);
  rows.status.push(row.status);
  rows.body_bytes_sent.push(row.body_bytes_sent);
  rows.http_referer.push(row.http_referer);
  rows.http_user_agent.push(row.http_user_agent);
  rows.request_time_ms.push(row.request_time_ms);
  rows.time_zone_min.push(row.time_zone_min);
}
