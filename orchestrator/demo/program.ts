/** A program of the demo's fleet, in a process of its own; its output goes to a file. */
import { LogvendError } from "../../protocol/errors.ts";
import type { CommandLine } from "../../protocol/process/own_process.ts";

/** A program that has not ended this long after it was asked to is killed. */
const STOP_MAX_MS = 3_000;

/** A killed program's own children may hold its output open: it is read for so long after its end. */
const OUTPUT_MAX_MS = 1_000;

export interface ProgramOptions {
  /** For messages: `web-2`, `orchestrator`. */
  name: string;
  command: CommandLine;
  /** Takes stdout and stderr. */
  logFile: string;
}

export class Program implements AsyncDisposable {
  private readonly ended: Promise<Deno.CommandStatus>;

  private constructor(
    readonly name: string,
    private readonly child: Deno.ChildProcess,
    private readonly logFile: string,
  ) {
    const cut = new AbortController();
    const output = Promise.all([
      append(child.stdout, logFile, cut.signal),
      append(child.stderr, logFile, cut.signal),
    ]);
    this.ended = child.status.then(async (status) => {
      const timer = setTimeout(() => cut.abort(), OUTPUT_MAX_MS);
      await output;
      clearTimeout(timer);
      return status;
    });
  }

  static start({ name, command, logFile }: ProgramOptions): Program {
    const child = new Deno.Command(command.command, {
      args: command.args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Program(name, child, logFile);
  }

  /** Ends the process at once, as `kill -9` does. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Asks the process to end and waits; one that does not in time is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_MAX_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Rejects when the process ends; for racing against what is being waited for. */
  async failure(): Promise<never> {
    const { code, signal } = await this.ended;
    const said = (await Deno.readTextFile(this.logFile)).trim().split("\n").slice(-3).join("\n");
    throw new LogvendError("unavailable", `${this.name} ended (${signal ?? code}):\n${said}`);
  }

  private signal(signal: Deno.Signal) {
    try {
      this.child.kill(signal);
    } catch {
      // It has ended already, which is what was wanted.
    }
  }
}

/** Not by `file.writable`, which keeps what it is given until it is closed. */
async function append(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  path: string,
  signal: AbortSignal,
) {
  using file = await Deno.open(path, { append: true, create: true });
  const write = async (bytes: Uint8Array<ArrayBuffer>) => {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  };
  try {
    await stream.pipeTo(new WritableStream({ write }), { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
