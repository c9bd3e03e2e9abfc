/** Writes log files as servers and log rotation do, every line with a number of its own. */
import { basename, dirname, join } from "node:path";

export type LineFormat = "combined" | "json" | "broken";

/** Finds a line's number in it. */
export const LINE_NUMBER = String.raw`/i/(\d+)[ "?]`;

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** Counts lines over all files of a scenario: their numbers are 1, 2, 3 … */
export class LineNumbers {
  private last = 0;
  /** Bytes of each line with its end; a line's number is its index. */
  readonly bytes: number[] = [0];

  /** Numbers given out so far. */
  get count(): number {
    return this.last;
  }

  /** A line with its end. Times are whole seconds of `atMs`. */
  line(format: LineFormat, atMs: number, filler = ""): string {
    const number = ++this.last;
    const text = `${
      lineText(format, { number, atMs, filler, address: this.address(number, format) })
    }\n`;
    this.bytes.push(new TextEncoder().encode(text).length);
    return text;
  }

  /** Of a line's client. */
  protected address(_number: number, format: LineFormat): string {
    return format === "json" ? "10.0.0.8" : "10.0.0.7";
  }

  /** All numbers from `first` on. */
  from(first = 1): number[] {
    return Array.from({ length: this.last - first + 1 }, (_, i) => first + i);
  }
}

interface LineFields {
  number: number;
  atMs: number;
  filler: string;
  address: string;
}

function lineText(format: LineFormat, { number, atMs, filler, address }: LineFields): string {
  const iso = new Date(atMs).toISOString();
  const path = `/i/${number}${filler === "" ? "" : `?${filler}`}`;
  switch (format) {
    case "combined": {
      const month = (Number(iso.slice(5, 7)) - 1) * 3;
      const date = `${iso.slice(8, 10)}/${MONTHS.slice(month, month + 3)}/${iso.slice(0, 4)}`;
      return `${address} - - [${date}:${iso.slice(11, 19)} +0000] ` +
        `"GET ${path} HTTP/1.1" 200 ${number} "-" "faults/1.0"`;
    }
    case "json":
      return JSON.stringify({
        remote_addr: address,
        remote_user: "-",
        time_local: iso.slice(0, 19),
        http_method: "GET",
        request: path,
        http_version: "HTTP/1.1",
        status: 200,
        body_bytes_sent: number,
        http_referer: "-",
        http_user_agent: "faults/1.0",
      });
    case "broken":
      return `this is no log line, but it has a number: ${path} of ${address}`;
    default:
      return format satisfies never;
  }
}

/** One log file being written; what was written of it and where is known to the byte. */
export class LogFile {
  /** The end of a line whose start was written already. */
  private unfinished: Uint8Array | null = null;
  private rotations = 0;

  constructor(
    readonly path: string,
    private readonly numbers: LineNumbers,
    private readonly format: LineFormat = "combined",
  ) {}

  /** Lines in the format of the file at one time, or at one time each. */
  lines(count: number, atMs: number | ((index: number) => number), filler = ""): string {
    const at = typeof atMs === "number" ? () => atMs : atMs;
    return Array.from({ length: count }, (_, i) => this.numbers.line(this.format, at(i), filler))
      .join("");
  }

  /** Appends whole lines; a line that was begun is ended first. */
  append(count: number, atMs: number | ((index: number) => number), filler = "") {
    this.finish();
    this.write(new TextEncoder().encode(this.lines(count, atMs, filler)));
  }

  /** Appends a line that no format can read. */
  appendBroken(atMs: number) {
    this.finish();
    this.write(new TextEncoder().encode(this.numbers.line("broken", atMs)));
  }

  /** Appends the first part of a line, cut somewhere (`share` of it). */
  begin(atMs: number, share: number, filler = "") {
    this.finish();
    const line = new TextEncoder().encode(this.lines(1, atMs, filler));
    const cut = Math.max(1, Math.min(line.length - 1, Math.floor(line.length * share)));
    this.write(line.subarray(0, cut));
    this.unfinished = line.subarray(cut);
  }

  /** Appends the rest of a line that was begun. */
  finish() {
    if (this.unfinished === null) return;
    this.write(this.unfinished);
    this.unfinished = null;
  }

  /** Whole lines and their numbers: a line begun is not there yet. */
  get isWhole(): boolean {
    return this.unfinished === null;
  }

  get size(): number {
    try {
      return Deno.statSync(this.path).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
  }

  /** Renames the file to `<path>.<n>`, ever greater n; the next append makes a new one. */
  rename(): string {
    this.finish();
    const rotated = `${this.path}.${++this.rotations}`;
    Deno.renameSync(this.path, rotated);
    return rotated;
  }

  /** Shifts `.1` to `.2` and so on, up to `keep`, then renames the file to `.1`: logrotate. */
  shift(keep: number) {
    this.finish();
    for (let n = keep; n >= 1; n--) {
      const from = n === 1 ? this.path : `${this.path}.${n - 1}`;
      try {
        Deno.renameSync(from, `${this.path}.${n}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  /** Copies the file to `<path>.<n>` and empties it. */
  copyTruncate(): string {
    this.finish();
    const copy = `${this.path}.${++this.rotations}`;
    Deno.copyFileSync(this.path, copy);
    Deno.truncateSync(this.path, 0);
    return copy;
  }

  /** Rotated files, however they are packed. */
  rotated(): string[] {
    const prefix = `${basename(this.path)}.`;
    return [...Deno.readDirSync(dirname(this.path))].filter(({ name }) => name.startsWith(prefix))
      .map(({ name }) => join(dirname(this.path), name));
  }

  private write(bytes: Uint8Array) {
    Deno.writeFileSync(this.path, bytes, { append: true });
  }
}
