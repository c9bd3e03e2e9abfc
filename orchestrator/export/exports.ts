/**
 * Answers that are too long to hold. Each is merged in a process of its own, which writes the rows as
 * they are read: the orchestrator's memory stays as it is, and other queries go before.
 */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { libraryPath } from "../../protocol/process/kernel_file.ts";
import { writeJsonLine } from "../../protocol/wire/json_lines.ts";
import { WireError } from "../../protocol/wire/messages.ts";
import {
  bareEnvironment,
  beNice,
  lastWords,
  pathList,
  PROGRAM_FOLDER,
} from "../../protocol/process/own_process.ts";
import { formatDurationMs } from "../../protocol/units.ts";
import { fromWireError } from "../../protocol/wire/wire_error.ts";
import { EXPORT_COMMAND, logvendCommand } from "../self.ts";
import type { ExportJob } from "./export_job.ts";

/** Each may take 512 MiB for DuckDB, and a core. */
const EXPORTS_MAX = 4;

/** Short queries are answered first. */
const NICE = 10;

export interface ExportOptions {
  /** The folder that the job's files lie in; spilling goes there too. */
  folder: string;
  /** Ends it: with its reason where that is a LogvendError. */
  signal: AbortSignal;
  /** Within which the first rows must come. */
  timeoutMs: number;
}

export class Exports {
  private running = 0;
  private readonly stopping = new AbortController();

  /** A place for one export, free again when it is disposed of. @throws {LogvendError} unavailable */
  enter(): Disposable {
    if (this.running >= EXPORTS_MAX) {
      throw new LogvendError(
        "unavailable",
        `${EXPORTS_MAX} long answers are being written already; try again later`,
      );
    }
    this.running++;
    return { [Symbol.dispose]: () => void this.running-- };
  }

  /**
   * The bytes of an answer. Nothing is held back: what fails after the first of them is thrown then.
   * @throws {LogvendError} bad_sql, timeout, cancelled or internal
   */
  async *write(
    job: Omit<ExportJob, "spill_folder" | "library">,
    options: ExportOptions,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { folder, signal, timeoutMs } = options;
    const late = new LogvendError(
      "timeout",
      `The hosts have answered, but no row was merged within ${formatDurationMs(timeoutMs)}. ` +
        "Raise --timeout, or ask for less",
    );
    const firstRows = new AbortController();
    const timer = setTimeout(() => firstRows.abort(late), timeoutMs);
    const until = AbortSignal.any([signal, firstRows.signal, this.stopping.signal]);
    const library = libraryPath();
    await using child = new ExportProcess({ folder, library, until });
    try {
      await child.start({ ...job, library, spill_folder: join(folder, "spill") });
      for await (const bytes of child.rows) {
        clearTimeout(timer);
        yield bytes;
      }
    } finally {
      clearTimeout(timer);
    }
    await child.end();
  }

  /** Ends all of them, for good. */
  stop(error: LogvendError): void {
    this.stopping.abort(error);
  }
}

class ExportProcess implements AsyncDisposable {
  private readonly child: Deno.ChildProcess;
  private readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  private readonly said: Promise<string>;

  private readonly until: AbortSignal;

  /** @param options `until` kills it */
  constructor(
    { folder, library, until }: { folder: string; library: string | null; until: AbortSignal },
  ) {
    this.until = until;
    const libraries = [PROGRAM_FOLDER, ...(library === null ? [] : [library])];
    const self = logvendCommand([EXPORT_COMMAND], [
      `--allow-read=${pathList(PROGRAM_FOLDER, folder)}`,
      `--allow-write=${pathList(folder)}`,
      `--allow-ffi=${pathList(...libraries)}`,
    ]);
    this.child = new Deno.Command(self.command, {
      args: self.args,
      cwd: folder,
      clearEnv: true,
      env: bareEnvironment(),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: until,
    }).spawn();
    beNice(this.child, NICE);
    this.input = this.child.stdin.getWriter();
    this.said = lastWords(this.child.stderr);
  }

  get rows(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.child.stdout;
  }

  async start(job: ExportJob): Promise<void> {
    await writeJsonLine(this.input, job).catch(() => this.end());
  }

  /** Waits for the end. @throws {LogvendError} when the rows are not all there */
  async end(): Promise<void> {
    const { success, signal, code } = await this.child.status;
    if (success) return;
    const { reason } = this.until;
    if (reason instanceof LogvendError) throw reason;
    if (this.until.aborted) throw new LogvendError("cancelled", "The query was cancelled");
    const said = await this.said;
    const error = wireError(said.split("\n").at(-1) ?? "");
    if (error !== null) throw fromWireError(error);
    throw new LogvendError(
      "internal",
      `The process that wrote the answer ended (${signal ?? `exit ${code}`}). It said: ${said}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.child.status;
    await this.input.abort().catch(() => {}); // the pipe is broken already
    await this.said;
  }
}

function wireError(line: string): WireError | null {
  try {
    return WireError.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
