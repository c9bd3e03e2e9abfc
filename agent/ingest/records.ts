/** Records of several lines: where one begins, and how much belongs to it. */

/** A stream's `multiline` as configured. */
export interface RecordOptions {
  /** Regular expression of a record's first line. */
  start: string;
  max_lines: number;
  /** Milliseconds. */
  quiet: number;
}

/** How lines make records. */
export interface RecordRule {
  /** Whether a line, without its end, begins a record. */
  isStart(line: string): boolean;
  linesMax: number;
  /** Milliseconds without a change after which a file's last record is over. */
  quietMs: number;
}

const LINE_END = 0x0a;

/** The rule of a configuration. */
export function recordRule({ start, max_lines, quiet }: RecordOptions): RecordRule {
  const pattern = new RegExp(start, "u");
  return { isStart: (line) => pattern.test(line), linesMax: max_lines, quietMs: quiet };
}

/**
 * Where the last record begins in whole lines that end at `end`: 0 when that is all of them, or
 * none of these lines begins one.
 */
export function lastRecordStart(bytes: Uint8Array, end: number, rule: RecordRule): number {
  const decoder = new TextDecoder();
  for (let lineEnd = end - 1; lineEnd > 0;) {
    const start = bytes.lastIndexOf(LINE_END, lineEnd - 1) + 1;
    if (rule.isStart(decoder.decode(bytes.subarray(start, lineEnd)))) return start;
    lineEnd = start - 1;
  }
  return 0;
}

/**
 * Where the record that begins at `start` ends, its last line end included. `bytes` are whole lines,
 * of which the last may lack its end.
 */
export function recordEnd(bytes: Uint8Array, start: number, rule: RecordRule): number {
  const decoder = new TextDecoder();
  let end = lineEndAfter(bytes, start);
  for (let lines = 1; lines < rule.linesMax && end < bytes.length; lines++) {
    const next = lineEndAfter(bytes, end);
    const last = bytes[next - 1] === LINE_END ? next - 1 : next;
    if (rule.isStart(decoder.decode(bytes.subarray(end, last)))) break;
    end = next;
  }
  return end;
}

/** The byte after the line that `start` is in, with its end. */
export function lineEndAfter(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(LINE_END, start);
  return end < 0 ? bytes.length : end + 1;
}
