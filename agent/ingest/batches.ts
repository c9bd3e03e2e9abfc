/** Turns blocks of whole lines into batches of columns and rejects for the store. */
import { isUtf8 } from "node:buffer";
import { newAccessRows } from "../store/rows/rows.ts";
import type { StreamRows } from "../store/rows/rows.ts";
import type { ArchivedLines, LineRun } from "../store/archived_lines.ts";
import type { Batch, Reject } from "../store/batch.ts";
import type { Cut } from "./blocks.ts";
import type { RowFiller, RowScanner } from "./formats/filler.ts";
import type { RejectReason } from "./formats/row.ts";
import { lastBytes, TAIL_BYTES } from "./identity.ts";
import { fillerOf } from "./line_form.ts";
import type { LineForm } from "./line_form.ts";
import { lineEndAfter, recordEnd } from "./records.ts";
import { keepableReject } from "./redacted_reject.ts";

/**
 * More lines in a batch make the agent deaf for longer, as parsing does not yield, and its heap
 * larger: what lives through several collections is freed late. One DuckDB data chunk of rows.
 */
const BATCH_LINES_MAX = 2_048;

const LINE_END = 0x0a;

/** No format finds a time and a status in fewer. */
const ROW_BYTES_MIN = 16;

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
  private readonly filler: RowFiller;
  /** Null where every line must be looked at as text. */
  private readonly scanner: RowScanner | null;
  private readonly strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  private readonly lossy = new TextDecoder("utf-8", { ignoreBOM: true });
  /** There may be thousands of makers: none holds memory that another needs. */
  private spare: WeakRef<StreamRows> | null = null;
  /** Time of the last good line; rejects take it. */
  private lastTs: bigint | null = null;

  constructor(
    private readonly generation: string,
    private readonly form: LineForm,
    private readonly nowMs: () => number,
    private readonly archived: ArchivedLines | null = null,
  ) {
    this.filler = fillerOf(form, nowMs);
    this.scanner = form.records === null ? this.filler.scanner : null;
  }

  /**
   * The batches of a cut, in order. They share their rows: each is to be done with before the next
   * is asked for, and the window stays as it is until the last is.
   */
  *batches({ cut, window, before }: CutBytes): Generator<Batch> {
    const bytes = window.subarray(0, cut.consumed);
    if (cut.kind === "reject") {
      const tail = lastBytes(before, bytes, TAIL_BYTES);
      const { offset, reason, line, length } = cut;
      if (this.archived?.from(offset)?.start === offset) {
        const left = this.archived.pass(offset + length, 1);
        const passed = this.emptyBatch(offset, newAccessRows(0));
        yield { ...passed, endOffset: offset + length, passed: { left }, tail };
        return;
      }
      const batch = this.emptyBatch(offset, newAccessRows(0));
      this.reject(batch, reason, line, length);
      yield { ...batch, tail };
      return;
    }
    const isText = isUtf8(bytes);
    const lastEnd = bytes.lastIndexOf(LINE_END) + 1;
    for (let start = 0; start < bytes.length;) {
      const run = this.archived?.from(cut.offset + start) ?? null;
      // What is archived begins a line, whatever records are made of the lines before it.
      const limit = Math.min(bytes.length, run === null ? Infinity : run.start - cut.offset);
      if (run !== null && limit === start) {
        const batch = this.passed(bytes, start, cut.offset);
        start = batch.endOffset - cut.offset;
        yield { ...batch, tail: lastBytes(before, bytes.subarray(0, start), TAIL_BYTES) };
        continue;
      }
      const rows = this.rowsFor(bytes);
      rows.startOn(bytes);
      const batch = this.emptyBatch(cut.offset + start, rows);
      while (start < limit && batch.lines < BATCH_LINES_MAX && !rows.isFull) {
        const textEnd = Math.min(limit, lastEnd);
        const end = isText ? textEnd : textLineEnd(bytes, start, textEnd);
        const next = this.scanner?.scan(rows, start, end, cut.offset) ?? start;
        if (next > start) this.scanned(batch, cut.offset + next);
        const after = next > start
          ? next
          : this.readOne(batch, bytes.subarray(0, limit), { start, isText });
        if (after === start) break; // the line has fields that these rows have no columns for
        start = after;
      }
      if (batch.lines === 0) continue;
      this.form.geo?.fill(rows);
      yield {
        ...batch,
        tail: lastBytes(before, bytes.subarray(0, start), TAIL_BYTES),
      };
    }
  }

  /** Lines that the archive has, up to the next that it lacks: their runs follow one another. */
  private passed(bytes: Uint8Array, start: number, offset: number): Batch {
    let left: LineRun | null = null;
    let end = start;
    while (end < bytes.length) {
      const run = this.archived?.from(offset + end) ?? null;
      if (run?.start !== offset + end) break;
      const { end: runEnd, lines } = archivedEnd(bytes, end, { ...run, offset });
      left = this.archived?.pass(offset + runEnd, lines) ?? null;
      end = runEnd;
    }
    const batch = this.emptyBatch(offset + start, newAccessRows(0));
    return { ...batch, endOffset: offset + end, passed: { left } };
  }

  /** Those of the cut before, if they are as many and memory was not scarce since. */
  private rowsFor(bytes: Uint8Array): StreamRows {
    const capacity = Math.min(BATCH_LINES_MAX, Math.ceil(bytes.length / ROW_BYTES_MIN));
    const spare = this.spare?.deref();
    if (spare?.capacity === capacity && this.filler.fits(spare)) return spare;
    const rows = this.filler.newRows(capacity);
    this.spare = new WeakRef(rows);
    return rows;
  }

  private emptyBatch(offset: number, rows: StreamRows): Batch {
    return {
      generation: this.generation,
      startOffset: offset,
      endOffset: offset,
      lines: 0,
      rows,
      shape: this.filler.shape,
      rejects: [],
      dropped: { ts: [], rule: [], line_length: [] },
      tail: new Uint8Array(),
    };
  }

  /** Lines up to here have become rows. */
  private scanned(batch: Batch, endOffset: number) {
    const { rows, rejects } = batch;
    this.lastTs = rows.columns.ts.value(rows.count - 1);
    batch.lines = rows.count + rejects.length;
    batch.endOffset = endOffset;
  }

  /** Reads one record as text; returns where the next begins, or `start` when it does not fit. */
  private readOne(
    batch: Batch,
    bytes: Uint8Array,
    { start, isText }: { start: number; isText: boolean },
  ): number {
    const { records } = this.form;
    const next = records === null ? lineEndAfter(bytes, start) : recordEnd(bytes, start, records);
    const end = bytes[next - 1] === LINE_END ? next - 1 : next;
    const line = bytes.subarray(start, end);
    const text = isText ? this.lossy.decode(line) : this.textOf(line);
    return this.add(batch, { start, line, text, length: next - start }) ? next : start;
  }

  /** False: the rows lack columns for it. */
  private add(batch: Batch, { start, line: bytes, text, length }: LineText): boolean {
    const read = this.filler.read(text ?? this.lossy.decode(bytes), text !== null);
    if (typeof read === "string") {
      this.reject(batch, read, bytes.slice(), length);
      return true;
    }
    const { ts, line, layout, isRedacted } = read;
    const { rows } = batch;
    if (!this.filler.fits(rows)) return false;
    batch.shape = this.filler.shape; // not that of a line which does not fit these rows any more
    this.lastTs = ts;
    const { columns, count } = rows;
    read.set(rows);
    columns.layout.set(count, layout);
    // Most lines that are kept whole are as they stand in the block.
    if (line !== null && text === line) columns.line_text.setStretch(count, start, bytes.length);
    else columns.line_text.set(count, line);
    columns.line_raw.setStretch(count, start, text === null && !isRedacted ? bytes.length : -1);
    columns.line_offset.setNumber(count, batch.endOffset);
    // Mostly it is that of the line as it is stored, and of one line feed.
    if (length === bytes.length + 1 && !isRedacted) columns.line_length.setHidden(count, length);
    else columns.line_length.set(count, length);
    rows.count++;
    batch.lines++;
    batch.endOffset += length;
    return true;
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
  /** Where it begins in the block. */
  start: number;
  line: Uint8Array;
  /** Null: it is no UTF-8. */
  text: string | null;
  /** Bytes with the line end. */
  length: number;
}

/** Where archived lines end in a block that begins at `offset`, and how many of them there are. */
function archivedEnd(
  bytes: Uint8Array,
  start: number,
  run: LineRun & { offset: number },
): { end: number; lines: number } {
  if (run.end !== null) return { end: Math.min(bytes.length, run.end - run.offset), lines: 0 };
  let [end, lines] = [start, 0];
  for (; lines < run.lines && end < bytes.length; lines++) end = lineEndAfter(bytes, end);
  return { end, lines };
}

/** The end of the line at `start` when that is UTF-8 and ends before `lastEnd`, else its start. */
function textLineEnd(bytes: Uint8Array, start: number, lastEnd: number): number {
  const end = lineEndAfter(bytes, start);
  return end <= lastEnd && isUtf8(bytes.subarray(start, end)) ? end : start;
}
