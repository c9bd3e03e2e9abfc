/** A whole fleet of real processes: a broker, an orchestrator, agents, and the command line. */
import { Command } from "commander";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { queryCommand } from "../../orchestrator/cli/query.ts";
import { addQuestionOptions } from "../../orchestrator/cli/question.ts";
import type { QuestionOptions } from "../../orchestrator/cli/question.ts";
import { newOperatorKey } from "../../protocol/signing/signature.ts";
import { CapturedTerminal } from "./captured_terminal.ts";
import { eventually } from "./eventually.ts";
import { startMosquitto } from "./mosquitto.ts";
import { freePorts } from "./ports.ts";
import { ourProgram, runProgram, startProgram } from "./program.ts";
import type { Ended, Program } from "./program.ts";
import { quietEvery } from "./quiet_archive.ts";
import { TempFolder } from "./temp_folder.ts";

export interface FleetOptions {
  /** Region by host name. */
  hosts: Readonly<Record<string, string>>;
  broker: "embedded" | "mosquitto";
  /** Of the stream `logs`. @default auto */
  format?: string;
  /** Further keys of that stream, `index: [ remote_addr ]`. @default none */
  logs?: string;
  /** Where a host keeps its data. @default `data` in its folder */
  dataDir?: (host: string) => string;
  /**
   * Further lines of an agent's configuration, or every one's; `$FOLDER` is the fleet's own folder,
   * `$KEY` the operator's public key, `$QUIET` how often an archive is sent to that is not to be
   * within the test.
   */
  more?: string | ((host: string) => string);
  /** The same of the orchestrator's. */
  orchestrator?: string;
  /** How long is waited for silent hosts; others have it too, on a busy machine. @default 1m */
  ackTimeout?: string;
  /**
   * Of the processes that answer queries: with those of the product they stand still while ten others
   * compute. @default 0
   */
  nice?: number;
}

/** What `query -o json` prints. */
export interface JsonAnswer {
  columns: { name: string; type: string }[];
  rows: Record<string, unknown>[];
  coverage: {
    asked: number;
    answered: number;
    pruned: number;
    missing: { host: string; reason: string }[];
    chunks: number;
    rows_scanned: number;
    rows_known?: number;
    bytes_read: number;
    rejects: number;
    archive?: { chunks: number; requests: number; bytes: number };
  };
  mode: string;
  query_id: string;
  elapsed_ms: number;
}

/** On a machine with ten times the work. */
const QUERY_TIMEOUT = "3m";

/** For benches: what an agent has that is told nothing else. */
export const PRODUCT_NICE = 10;

interface FleetParts {
  folder: TempFolder;
  stack: AsyncDisposableStack;
  url: string;
  brokerUrl: string;
  pem: string;
  publicKey: string;
  server: { program: Program };
}

export class TestFleet implements AsyncDisposable {
  private readonly agents = new Map<string, Program>();

  private constructor(private readonly parts: FleetParts) {}

  /** Resolves when every host is online. */
  static async start(
    options: FleetOptions,
  ): Promise<TestFleet> {
    const { hosts, broker, format = "auto", logs, dataDir, more = "", orchestrator = "" } = options;
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const [httpPort = 0, brokerPort = 0] = freePorts(2);
    const { pem, publicKey } = await newOperatorKey();
    await folder.write("operator.key", pem);
    const brokerUrl = `mqtt://127.0.0.1:${brokerPort}`;
    if (broker === "mosquitto") stack.use(await startMosquitto({ port: brokerPort }));
    const config = await folder.write(
      "orchestrator.yaml",
      `http: 127.0.0.1:${httpPort}
broker: ${broker === "embedded" ? "embedded" : brokerUrl}
broker_listen: 127.0.0.1:${brokerPort}
data_dir: ./orchestrator
ack_timeout: ${options.ackTimeout ?? "1m"}
trust: [ "${publicKey}" ]
${orchestrator.replaceAll("$FOLDER", folder.join("")).replaceAll("$KEY", publicKey)}
`,
    );
    const server = { program: await serve(config) };
    stack.defer(() => server.program[Symbol.asyncDispose]());
    const url = `http://127.0.0.1:${httpPort}`;
    const quiet = quietEvery(Object.keys(hosts));
    const fleet = new TestFleet({
      folder,
      stack: stack.move(),
      url,
      brokerUrl,
      pem,
      publicKey,
      server,
    });
    for (const [host, region] of Object.entries(hosts)) {
      await fleet.configure(host, {
        region,
        stream: [`format: ${format}`, ...logs === undefined ? [] : [logs]].join(", "),
        dataDir: dataDir?.(host) ?? `./${host}/data`,
        nice: options.nice ?? 0,
        more: (typeof more === "string" ? more : more(host)).replaceAll("$QUIET", quiet),
      });
      fleet.startAgent(host);
    }
    await fleet.online(Object.keys(hosts).length);
    return fleet;
  }

  get brokerUrl(): string {
    return this.parts.brokerUrl;
  }

  /** The operator's private key, PEM. */
  get pem(): string {
    return this.parts.pem;
  }

  get url(): string {
    return this.parts.url;
  }

  /** The path of a file of a host: its log, its data folder. */
  path(host: string, ...names: string[]): string {
    return this.parts.folder.join(host, ...names);
  }

  logFile(host: string): string {
    return this.path(host, "access.log");
  }

  configFile(host: string): string {
    return this.parts.folder.join(`${host}.yaml`);
  }

  startAgent(host: string): Program {
    const args = ourProgram("agent/main.ts", "run", "-c", this.configFile(host));
    const program = startProgram({ args });
    this.agents.set(host, program);
    return program;
  }

  agent(host: string): Program {
    const program = this.agents.get(host);
    if (program === undefined) throw new Error(`No agent runs on ${host}`);
    return program;
  }

  /** kill -9, and the end of the process. */
  async killAgent(host: string): Promise<void> {
    const program = this.agent(host);
    program.kill("SIGKILL");
    await program.ended();
  }

  /** kill -9; resolves with its end. */
  async killOrchestrator(): Promise<void> {
    const { program } = this.parts.server;
    program.kill("SIGKILL");
    await program.ended();
  }

  /** After its end. */
  async startOrchestrator(): Promise<void> {
    this.parts.server.program = await serve(this.parts.folder.join("orchestrator.yaml"));
  }

  /** Resolves when exactly `count` hosts are online. @throws with what agents say, when they are not */
  async online(count: number, deadlineMs?: number): Promise<void> {
    const isSo = async () => {
      const response = await fetch(`${this.url}/v1/hosts`);
      const { hosts } = await response.json() as { hosts: { state: string }[] };
      return hosts.filter((host) => host.state === "online").length === count;
    };
    await eventually(isSo, deadlineMs).catch((cause) => {
      const said = [...this.agents].map(([host, { stderr }]) => `${host}: ${stderr.slice(-1_000)}`);
      throw new Error(`Not ${count} hosts are online\n${said.join("\n")}`, { cause });
    });
  }

  /** What the environment of this fleet's operator holds. */
  get env(): Record<"LOGVEND_URL" | "LOGVEND_KEY" | "NO_COLOR", string> {
    return {
      LOGVEND_URL: this.url,
      LOGVEND_KEY: this.parts.folder.join("operator.key"),
      NO_COLOR: "1",
    };
  }

  /** Runs `logvend` with this fleet's address and key. */
  cli(...args: string[]): Promise<Ended> {
    return runProgram({ args: ourProgram("orchestrator/main.ts", ...args), env: this.env });
  }

  /** Starts `logvend`, which stays and may be written to. */
  startCli(...args: string[]): Program {
    const { env } = this;
    return startProgram({
      args: ourProgram("orchestrator/main.ts", ...args),
      env,
      stdin: "piped",
    });
  }

  /** Starts `logvend` at a terminal: what is written to it are keys. Needs `python3`. */
  startAtTerminal(...args: string[]): Program {
    // Afterwards it says how the terminal was left.
    const script = '"$@"; code=$?; stty -a | grep -o -e "-\\?icanon"; exit $code';
    const spawn = "import pty, sys, os; " +
      "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    const program = [Deno.execPath(), ...ourProgram("orchestrator/main.ts", ...args)];
    const ours = ["sh", "-c", script, "sh", ...program];
    const env = { ...this.env, TERM: "xterm", XDG_STATE_HOME: this.parts.folder.join("state") };
    return startProgram({ command: "python3", args: ["-c", spawn, ...ours], env, stdin: "piped" });
  }

  /**
   * What `logvend query … -o json` prints, asked by this process: another one takes half a second to
   * start, and most questions only wait for something. @throws when it printed no answer
   */
  async query(sql: string, ...flags: string[]): Promise<{ code: number; answer: JsonAnswer }> {
    const parsed = addQuestionOptions(new Command()).option("--allow-partial")
      .exitOverride().parse(["--timeout", QUERY_TIMEOUT, ...flags], { from: "user" });
    const terminal = new CapturedTerminal();
    const code = await queryCommand({
      sql,
      options: {
        ...parsed.opts<QuestionOptions>(),
        key: this.env.LOGVEND_KEY,
        output: "json",
      },
      client: new ApiClient(this.url),
      terminal,
    });
    if (terminal.stdout === "") throw new Error(`exit ${code}: ${terminal.stderr}`);
    return { code, answer: JSON.parse(terminal.stdout) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.agents.values()) await program[Symbol.asyncDispose]();
    await this.parts.stack.disposeAsync();
  }

  private async configure(
    host: string,
    settings: Record<"region" | "stream" | "dataDir" | "more", string> & { nice: number },
  ) {
    const { region, stream, dataDir, more, nice } = settings;
    const { folder, publicKey, brokerUrl } = this.parts;
    await Deno.mkdir(folder.join(host), { recursive: true });
    await folder.write(
      `${host}.yaml`,
      `host: ${host}
region: ${region}
labels: { service: web-server }
data_dir: ${dataDir}
broker: ${brokerUrl}
trust: [ "${publicKey}" ]
flush_every: 500ms
limits: { nice: ${nice} }
${more.replaceAll("$FOLDER", folder.join("")).replaceAll("$KEY", publicKey)}
streams:
  - { name: logs, ${stream}, files: [ ./${host}/access.log* ] }
`,
    );
  }
}

/** Starts an orchestrator; resolves when it serves. */
async function serve(config: string): Promise<Program> {
  const server = startProgram({ args: ourProgram("orchestrator/main.ts", "serve", "-c", config) });
  await server.waitForLine(/Serving/);
  return server;
}
