/** Writes generated traffic to a log file as a web server would: a past, then live lines. */
import { dirname } from "node:path";
import { drawHit } from "./hits.ts";
import { formatLine, generateLines } from "./lines.ts";
import type { LineFormat } from "./lines.ts";
import { createRandom } from "./random.ts";

/** Lines of one moment are written together, with one write. */
const TICK_MS = 100;
/** Bytes of the backlog written at once. */
const WRITE_CHARS = 256 * 1024;
const HOUR_MS = 3_600_000;

/** What is written where, and how fast. */
export interface GenerateOptions {
  /** Appended to; its folders are made. Opened anew when it is renamed or removed (rotation). */
  file: string;
  ratePerSecond: number;
  format: LineFormat;
  seed: number;
  /** Lines written first, spread over the hours before now. */
  backlog?: { lines: number; hours: number };
  /** Ends the traffic; without live lines (rate 0) it ends after the backlog. */
  signal: AbortSignal;
}

/** Returns the lines written, when the signal ends the traffic. @throws {Deno.errors} of the file */
export async function generateTo(options: GenerateOptions): Promise<{ lines: number }> {
  const { backlog, ratePerSecond, signal } = options;
  await Deno.mkdir(dirname(options.file), { recursive: true });
  await using log = await LogFile.open(options.file);
  const written = backlog === undefined ? 0 : await writeBacklog(log, options, backlog);
  if (ratePerSecond <= 0 || signal.aborted) return { lines: written };
  return { lines: written + await writeLive(log, options) };
}

async function writeBacklog(
  log: LogFile,
  { seed, format, signal }: GenerateOptions,
  { lines, hours }: { lines: number; hours: number },
): Promise<number> {
  const endMs = Date.now();
  const startMs = endMs - hours * HOUR_MS;
  let text = "";
  let waiting = 0;
  let written = 0;
  for (const line of generateLines({ seed, count: lines, startMs, endMs, format })) {
    text += `${line}\n`;
    waiting++;
    if (text.length < WRITE_CHARS) continue;
    if (signal.aborted) return written;
    await log.write(text);
    written += waiting;
    [text, waiting] = ["", 0];
  }
  await log.write(text);
  return written + waiting;
}

async function writeLive(
  log: LogFile,
  { seed, format, ratePerSecond, signal }: GenerateOptions,
): Promise<number> {
  const random = createRandom(seed ^ 0x5eed);
  const start = performance.now();
  let written = 0;
  while (!signal.aborted) {
    const due = Math.floor((performance.now() - start) / 1_000 * ratePerSecond);
    const nowMs = Date.now();
    let text = "";
    for (let line = written; line < due; line++) {
      text += `${formatLine(drawHit(random), nowMs, format)}\n`;
    }
    await log.write(text);
    written = Math.max(written, due);
    await pause(TICK_MS, signal);
  }
  return written;
}

/** A log file that follows its path. */
class LogFile implements AsyncDisposable {
  private constructor(private readonly path: string, private file: Deno.FsFile) {}

  static async open(path: string): Promise<LogFile> {
    return new LogFile(path, await openForAppend(path));
  }

  /** Appends whole lines. */
  async write(text: string): Promise<void> {
    if (text === "") return;
    await this.reopenWhenRotated();
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.file.write(rest));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    return Promise.resolve();
  }

  private async reopenWhenRotated() {
    const [mine, atPath] = await Promise.all([this.file.stat(), statOf(this.path)]);
    if (atPath !== null && atPath.dev === mine.dev && atPath.ino === mine.ino) return;
    const file = await openForAppend(this.path);
    this.file.close();
    this.file = file;
  }
}

async function openForAppend(path: string): Promise<Deno.FsFile> {
  return await Deno.open(path, { append: true, create: true });
}

async function statOf(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
