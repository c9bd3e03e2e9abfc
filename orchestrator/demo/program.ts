/** A program of the demo's fleet, in a process of its own; its output goes to a file. */
import { LogvendError } from "../../protocol/errors.ts";

export interface ProgramOptions {
  /** For messages: `web-2`, `orchestrator`. */
  name: string;
  command: readonly string[];
  /** Takes stdout and stderr. */
  logFile: string;
}

export class Program implements AsyncDisposable {
  private constructor(
    readonly name: string,
    private readonly child: Deno.ChildProcess,
    private readonly output: Promise<unknown>,
    private readonly logFile: string,
  ) {}

  static start({ name, command, logFile }: ProgramOptions): Program {
    const [program = "", ...args] = command;
    const child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = Promise.all([append(child.stdout, logFile), append(child.stderr, logFile)]);
    return new Program(name, child, output, logFile);
  }

  /** Ends the process at once, as `kill -9` does. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.child.status;
  }

  /** Asks the process to end and waits; one that does not within 10 s is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), 10_000);
    await this.child.status;
    await this.output;
    clearTimeout(timer);
  }

  /** Rejects when the process ends; for racing against what is being waited for. */
  async failure(): Promise<never> {
    const { code, signal } = await this.child.status;
    await this.output;
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

async function append(stream: ReadableStream<Uint8Array<ArrayBuffer>>, path: string) {
  const file = await Deno.open(path, { append: true, create: true });
  await stream.pipeTo(file.writable);
}
