/** The demo's fleet: one orchestrator, three hosts in two regions, their logs and agents. */
import { join } from "node:path";
import { newOperatorKey } from "../../protocol/signing/signature.ts";
import type { CommandLine } from "../../protocol/process/own_process.ts";
import { agentCommand, logvendCommand } from "../self.ts";
import { visitorDatabase } from "./places.ts";
import { freePort } from "./ports.ts";
import { Program } from "./program.ts";

/** Log lines of the past hours that each host starts with. */
export const BACKLOG_LINES = 20_000;
const BACKLOG_HOURS = 3;
/** What each host's web server writes from then on. */
const LINES_PER_S = 50;

const ORCHESTRATOR = "orchestrator";

interface DemoHost {
  name: string;
  region: string;
  format: "combined" | "combined_time" | "json";
}

export const HOSTS: readonly DemoHost[] = [
  { name: "web-1", region: "eu-west-1", format: "combined_time" },
  { name: "web-2", region: "eu-west-1", format: "json" },
  { name: "web-3", region: "us-east-1", format: "combined" },
];

export class Fleet implements AsyncDisposable {
  private readonly programs = new Map<string, Program>();

  private constructor(
    readonly folder: string,
    readonly url: string,
    readonly keyFile: string,
  ) {}

  /** Writes configurations and the operator's key into `folder`; nothing runs yet. */
  static async prepare(folder: string): Promise<Fleet> {
    const { pem, publicKey } = await newOperatorKey();
    const keyFile = join(folder, "operator.key");
    await Deno.writeTextFile(keyFile, pem, { mode: 0o600 });
    const httpPort = freePort(8080);
    const brokerPort = freePort(1883);
    await Deno.writeTextFile(
      join(folder, "orchestrator.yaml"),
      `http: 127.0.0.1:${httpPort}
broker: embedded
broker_listen: 127.0.0.1:${brokerPort}
data_dir: ./orchestrator
ack_timeout: 10s
trust: [ "${publicKey}" ]
`,
    );
    await Deno.writeFile(join(folder, "visitors.mmdb"), visitorDatabase());
    for (const host of HOSTS) {
      await Deno.mkdir(join(folder, host.name), { recursive: true });
      await Deno.writeTextFile(
        join(folder, `${host.name}.yaml`),
        `host: ${host.name}
region: ${host.region}
labels: { service: web-server }
data_dir: ./${host.name}/data
broker: mqtt://127.0.0.1:${brokerPort}
trust: [ "${publicKey}" ]
flush_every: 2s # a real agent: 10s
seal_after: 2s # a real agent: 120s
geo: { database: ./visitors.mmdb } # a real agent: GeoLite2 City
streams:
  - { name: logs, format: auto, files: [ ./${host.name}/access.log* ] }
`,
      );
    }
    return new Fleet(folder, `http://127.0.0.1:${httpPort}`, keyFile);
  }

  /** Says whether the orchestrator takes requests yet. */
  async serves(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/healthz`)).ok;
    } catch {
      return false; // nobody listens yet
    }
  }

  startOrchestrator() {
    this.start(ORCHESTRATOR, logvendCommand(["serve", "-c", this.file("orchestrator.yaml")]));
  }

  /** Lets a host's web server write: the backlog at once, then line by line. */
  startTraffic(host: DemoHost, options: { backlog: boolean }) {
    const backlog = ["--backlog", `${BACKLOG_LINES}`, "--hours", `${BACKLOG_HOURS}`];
    this.start(
      `traffic of ${host.name}`,
      logvendCommand([
        "generate",
        ...["--out", this.logFile(host), "--format", host.format, "--rate", `${LINES_PER_S}`],
        ...["--seed", `${HOSTS.indexOf(host)}`],
        ...(options.backlog ? backlog : []),
      ]),
    );
  }

  startAgent(host: DemoHost) {
    this.start(host.name, agentCommand(["run", "-c", this.file(`${host.name}.yaml`)]));
  }

  async kill(name: string): Promise<void> {
    await this.programs.get(name)?.kill();
    this.programs.delete(name);
  }

  async stopTraffic(): Promise<void> {
    await Promise.all(HOSTS.map(async ({ name }) => {
      await this.programs.get(`traffic of ${name}`)?.[Symbol.asyncDispose]();
      this.programs.delete(`traffic of ${name}`);
    }));
  }

  /** Rejects as soon as any program of the fleet ends by itself. */
  async failure(): Promise<never> {
    return await Promise.race([...this.programs.values()].map((program) => program.failure()));
  }

  logFile(host: DemoHost): string {
    return this.file(join(host.name, "access.log"));
  }

  dataDir(host: DemoHost): string {
    return this.file(join(host.name, "data"));
  }

  /** Stops everything, agents before the broker they talk to. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { orchestrator, others } = Object.groupBy(
      this.programs.values(),
      ({ name }) => name === ORCHESTRATOR ? "orchestrator" : "others",
    );
    this.programs.clear();
    for (const programs of [others ?? [], orchestrator ?? []]) {
      await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
    }
  }

  private start(name: string, command: CommandLine) {
    const logFile = this.file(`${name.replaceAll(" ", "-")}.log`);
    this.programs.set(name, Program.start({ name, command, logFile }));
  }

  private file(name: string): string {
    return join(this.folder, name);
  }
}
