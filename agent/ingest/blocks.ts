/**
 * Cuts a file's bytes into blocks of whole lines or records, and lines that are too long down to the
 * limit.
 */
import type { RejectReason } from "./formats/row.ts";
import { lastRecordStart } from "./records.ts";
import type { RecordRule } from "./records.ts";

/** Longer lines are cut and rejected. Each file being read may hold one such line in memory. */
export const LINE_BYTES_MAX = 2 ** 20;

/** What a reader should offer at once: without a line end in it, the line is over the limit. */
export const WINDOW_BYTES = LINE_BYTES_MAX + 1;

/**
 * Zero bytes at a file's start from here on are a hole: a writer that does not append left it when
 * its file was truncated. Fewer belong to the first line.
 */
const HOLE_BYTES_MIN = 4_096;

const LINE_END = 0x0a;

/** What the front of the offered bytes is; the caller then moves on by `consumed`. */
export type Cut =
  /** Whole lines, all of the consumed bytes. The last may lack its end in a final window. */
  | { kind: "lines"; consumed: number; offset: number }
  /** A line over the limit, or a hole. `line` is a copy. */
  | {
    kind: "reject";
    consumed: number;
    offset: number;
    reason: RejectReason;
    line: Uint8Array;
    length: number;
  }
  /** No line ends here yet. */
  | { kind: "more"; consumed: number };

/** The part of an overlong line that earlier windows held. */
interface Unfinished {
  reason: RejectReason;
  line: Uint8Array;
  length: number;
}

/** Cuts one generation from front to end. */
export class LineCutter {
  private unfinished: Unfinished | null = null;

  /** `offset`: where the next line begins. `records`: what makes several lines one. */
  constructor(public offset: number, private readonly records: RecordRule | null = null) {}

  /**
   * Cuts the front of `window`, which goes on where the consumed bytes ended. `final`: the file
   * ends with it, so a last line needs no line end. `quiet`: whole lines end the last record.
   */
  cut(window: Uint8Array, final: boolean, quiet = false): Cut {
    if (this.unfinished !== null) return this.goOn(this.unfinished, window, final);
    if (this.offset === 0 && window[0] === 0) {
      const hole = this.hole(window, final);
      if (hole !== null) return hole;
    }
    const lastEnd = window.lastIndexOf(LINE_END);
    if (lastEnd < 0 && window.length > LINE_BYTES_MAX) {
      const line = window.slice(0, LINE_BYTES_MAX);
      this.unfinished = { reason: "too_long", line, length: window.length };
      return { kind: "more", consumed: window.length };
    }
    const whole = final ? window.length : lastEnd + 1;
    const consumed = final || quiet ? whole : this.wholeRecords(window, whole);
    if (consumed === 0) return { kind: "more", consumed };
    const offset = this.offset;
    this.offset += consumed;
    return { kind: "lines", consumed, offset };
  }

  /** How many of the bytes of whole lines are records that are over, as another has begun. */
  private wholeRecords(window: Uint8Array, end: number): number {
    if (this.records === null) return end;
    const start = lastRecordStart(window, end, this.records);
    // A record that fills the window is cut: what waits here is bounded.
    return start === 0 && window.length > LINE_BYTES_MAX ? end : start;
  }

  private hole(window: Uint8Array, final: boolean): Cut | null {
    const zeros = zerosAtStart(window);
    if (zeros < HOLE_BYTES_MIN) {
      return zeros < window.length || final ? null : { kind: "more", consumed: 0 };
    }
    const unfinished: Unfinished = { reason: "zero_bytes", line: new Uint8Array(), length: 0 };
    this.unfinished = unfinished;
    return this.goOn(unfinished, window, final);
  }

  private goOn(unfinished: Unfinished, window: Uint8Array, final: boolean): Cut {
    const end = unfinished.reason === "zero_bytes"
      ? zerosAtStart(window)
      : endOfLine(window.indexOf(LINE_END), window.length);
    const ends = unfinished.reason === "zero_bytes"
      ? end < window.length
      : window[end - 1] === LINE_END;
    unfinished.length += end;
    if (!ends && !final) return { kind: "more", consumed: end };
    const offset = this.offset;
    this.offset += unfinished.length;
    this.unfinished = null;
    return { kind: "reject", consumed: end, offset, ...unfinished };
  }
}

function endOfLine(lineEnd: number, length: number): number {
  return lineEnd < 0 ? length : lineEnd + 1;
}

function zerosAtStart(bytes: Uint8Array): number {
  let count = 0;
  while (bytes[count] === 0) count++;
  return count;
}
