/** The real agent as a process of its own, with a configuration made for faults. */
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Ended, Program } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

export const HOST = "web-1";
export const REGION = "eu";

export interface AgentOptions {
  folder: TempFolder;
  /** @default data, in the folder */
  dataDir?: string;
  /** YAML of the list `streams`. @default every *.log* below logs/, as stream `logs` */
  streams?: string;
  /** @default 100ms */
  flushEvery?: string;
  /** @default 100ms */
  sealAfter?: string;
  /** More lines of agent.yaml. */
  more?: string;
  env?: Record<string, string>;
  /** A program that starts the agent, with its arguments: `prlimit --nofile=64`. */
  wrapper?: readonly string[];
}

/** An answer of `agent query -o json`. */
export interface Answer {
  rows: Record<string, unknown>[];
  coverage: Record<string, unknown>;
}

export class AgentUnderTest implements AsyncDisposable {
  private program: Program | null = null;

  private constructor(
    private readonly options: AgentOptions,
    readonly config: string,
    readonly dataDir: string,
  ) {}

  /** Writes the configuration; starts nothing. */
  static async make(options: AgentOptions): Promise<AgentUnderTest> {
    const { folder, flushEvery = "100ms", sealAfter = "100ms", more = "" } = options;
    const dataDir = options.dataDir ?? folder.join("data");
    const streams = options.streams ??
      `  - { name: logs, files: [ ${folder.join("logs")}/*.log* ] }`;
    await Deno.mkdir(folder.join("logs"), { recursive: true });
    const config = await folder.write(
      `agent-${crypto.randomUUID().slice(0, 8)}.yaml`,
      `host: ${HOST}
region: ${REGION}
data_dir: ${dataDir}
flush_every: ${flushEvery}
seal_after: ${sealAfter}
${more}
streams:
${streams}
`,
    );
    return new AgentUnderTest(options, config, dataDir);
  }

  /** Starts the process; resolves at once. */
  spawn() {
    const { wrapper: [wrapper, ...wrapped] = [], env } = this.options;
    const args = ourProgram("agent/main.ts", "run", "-c", this.config);
    this.program = startProgram({
      ...(wrapper === undefined
        ? { args }
        : { command: wrapper, args: [...wrapped, Deno.execPath(), ...args] }),
      ...(env === undefined ? {} : { env }),
    });
  }

  /** Starts the process; resolves when it reads. */
  async start(): Promise<void> {
    this.spawn();
    await this.reads();
  }

  /** Resolves when the process that was started reads. @throws when it does not come so far */
  async reads(): Promise<void> {
    await this.running.waitForLine(/Agent .* reads /);
  }

  get running(): Program {
    if (this.program === null) throw new Error("The agent does not run");
    return this.program;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    const program = this.running;
    program.kill("SIGKILL");
    await program.ended();
    this.program = null;
  }

  /** SIGTERM; resolves with what it said. @throws when it ends with an error, or does not */
  async stop(): Promise<string> {
    const program = this.running;
    program.kill("SIGTERM");
    const { code, stderr } = await program.ended();
    this.program = null;
    if (code !== 0) throw new Error(`The agent ended with ${code}: ${stderr.slice(-2_000)}`);
    return stderr;
  }

  /** Lets the process stand still where it is; kill() works on it. */
  freeze() {
    this.running.kill("SIGSTOP");
  }

  thaw() {
    this.running.kill("SIGCONT");
  }

  /** `agent query`, over all times. */
  async query(sql: string): Promise<Ended & { answer: Answer | null }> {
    const args = ["query", sql, "-o", "json", "--since", "all", "-c", this.config];
    const ended = await runProgram({ args: ourProgram("agent/main.ts", ...args) });
    return { ...ended, answer: ended.stdout === "" ? null : JSON.parse(ended.stdout) };
  }

  /** Processor time of the process so far. */
  cpuMs(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.running.pid}/stat`);
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 1).split(" ").slice(12, 14);
    return (Number(user) + Number(system)) * 10; // in ticks of 10 ms
  }

  /** Most memory that the process ever held, in bytes. */
  memoryPeakBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.running.pid}/status`);
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.program === null) return;
    this.program.kill("SIGKILL");
    await this.program.ended();
    this.program = null;
  }
}
