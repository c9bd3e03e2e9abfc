/** A real orchestrator with its embedded broker on free ports, and scripted agents around it. */
import { newOperatorKey, readOperatorKey } from "../../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../../protocol/signing/signature.ts";
import { parseRange } from "../../../protocol/range.ts";
import type { Limits, Source } from "../../../protocol/signing/claims.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import type { QueryCommand } from "../../../protocol/wire/messages.ts";
import { schemaOf } from "../../../protocol/schema/streams.ts";
import { Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import type { RowFormat } from "../../../queries/answer/format.ts";
import { signQuestion } from "../../../orchestrator/access/sign.ts";
import type { AnswerEnd } from "../../../orchestrator/api/events.ts";
import type { Missing } from "../../../orchestrator/fanout/coverage.ts";
import { ApiClient } from "../../../orchestrator/cli/client.ts";
import { OrchestratorConfig } from "../../../orchestrator/config.ts";
import { startOrchestrator } from "../../../orchestrator/server.ts";
import type { Orchestrator } from "../../../orchestrator/server.ts";
import { eventually } from "../../harness/eventually.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { ScriptedAgent } from "./scripted_agent.ts";
import type { ScriptedAgentOptions } from "./scripted_agent.ts";

export interface Ask {
  sql: string;
  selector?: string;
  since?: string;
  until?: string;
  limits?: Partial<Limits>;
  source?: Source;
  format?: RowFormat;
  signal?: AbortSignal;
  /** It may be explained only. */
  explain?: boolean;
}

export interface Asked {
  end: AnswerEnd;
  bytes: Uint8Array;
  rows: Record<string, unknown>[];
}

const LIMITS: Limits = { timeout_ms: 90_000, rows_max: 100_000, bytes_max: 64e6 };

export class Scene implements AsyncDisposable {
  private readonly stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    readonly orchestrator: Orchestrator,
    readonly key: OperatorKey,
    readonly dataFolder: string,
    private readonly planner: Planner,
  ) {
    this.stack = stack.move();
  }

  /**
   * @param broker `embedded`, or the URL of one
   * @param ackTimeout how long is waited for silent hosts; others have it too, on a busy machine
   */
  static async start(
    { broker = "embedded", ackTimeout = "10s" }: { broker?: string; ackTimeout?: string } = {},
  ): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const planner = stack.use(await Planner.open());
    const key = await readOperatorKey((await newOperatorKey()).pem);
    const config = OrchestratorConfig.parse({
      name: "test",
      http: "127.0.0.1:0",
      broker,
      broker_listen: "127.0.0.1:0",
      ack_timeout: ackTimeout,
      data_dir: folder.join("data"),
      trust: [key.publicKey],
      trust_erase: [key.publicKey],
    });
    const orchestrator = stack.use(await startOrchestrator(config));
    const scene = new Scene(stack, orchestrator, key, config.data_dir, planner);
    await eventually(async () => (await scene.get("/healthz")).ok);
    return scene;
  }

  /** Starts an agent and waits until the orchestrator knows it. */
  async agent(
    options: Omit<ScriptedAgentOptions, "brokerUrl" | "plan">,
  ): Promise<ScriptedAgent> {
    const agent = this.stack.use(
      await ScriptedAgent.start({
        ...options,
        brokerUrl: this.orchestrator.brokerUrl,
        plan: (command) => this.plan(command),
      }),
    );
    await this.hostIs(options.host, "online");
    return agent;
  }

  async hostIs(host: string, state: "online" | "offline"): Promise<void> {
    const client = new ApiClient(this.orchestrator.url);
    await eventually(async () => {
      const hosts = await client.hosts(AbortSignal.timeout(120_000));
      return hosts.some((record) => record.host === host && record.state === state);
    });
  }

  /** Signs a question and asks it over HTTP. @throws what the orchestrator says */
  async ask(ask: Ask): Promise<Asked> {
    const { token } = await this.sign(ask);
    const client = new ApiClient(this.orchestrator.url);
    const signal = ask.signal ?? AbortSignal.timeout(120_000);
    const format = ask.format ?? "jsonl";
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let end: AnswerEnd | undefined;
    for await (const event of client.query({ sql: ask.sql, token, format, signal })) {
      if (event.type === "data") pieces.push(event.bytes);
      if (event.type === "end") end = event;
    }
    if (end === undefined) throw new Error("No end came");
    const bytes = await new Blob(pieces).bytes();
    const lines = format === "jsonl" ? new TextDecoder().decode(bytes).split("\n") : [];
    return {
      end,
      bytes,
      rows: lines.filter((line) => line !== "").map((line) => JSON.parse(line)),
    };
  }

  /** What a query would do. */
  async explain(sql: string, range: Pick<Ask, "since" | "until"> = {}) {
    const { token } = await this.sign({ sql, ...range, explain: true });
    const signal = AbortSignal.timeout(120_000);
    return await new ApiClient(this.orchestrator.url).explain({ sql, token, signal });
  }

  sign({ sql, selector = "", since, until, limits, source, explain }: Ask) {
    const nowMs = Date.now();
    return signQuestion({
      sql,
      selector,
      range: parseRange({ since, until }, nowMs),
      limits: { ...LIMITS, ...limits },
      key: this.key,
      nowMs,
      source,
      explain,
    });
  }

  /** The operator's private key, as a key file has it. */
  async pem(): Promise<string> {
    const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", this.key.privateKey));
    return `-----BEGIN PRIVATE KEY-----\n${der.toBase64()}\n-----END PRIVATE KEY-----\n`;
  }

  get(path: string): Promise<Response> {
    return fetch(new URL(path, this.orchestrator.url));
  }

  /** What an agent derives from a command by itself. */
  private plan({ sql, token, tables, plan_version: version }: QueryCommand): Promise<Plan> {
    const payload = token.split(".")[1] ?? "";
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const { now, range, limits } = JSON.parse(new TextDecoder().decode(bytes));
    return this.planner.plan({ sql, tables, now, range, rowsMax: limits.rows_max, version });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/** Rows of `logs` with these statuses, for a ScriptedAgent. */
export function logsWith(statuses: readonly number[]): string {
  const columns = schemaOf("logs").logical.map(({ name, type }) =>
    name === "status" ? "unnest(statuses)::INTEGER AS status" : `NULL::${type} AS ${name}`
  );
  return `SELECT ${columns.join(", ")} FROM (SELECT [${
    statuses.join(", ")
  }]::INTEGER[] AS statuses)`;
}

/** Who is missing, without the times. */
export function named(missing: readonly Missing[]) {
  return missing.map(({ host, kind, reason }) => ({ host, kind, reason }));
}

/** What a question fails with. @throws when it does not, or with another kind of error */
export async function error(work: Promise<unknown>): Promise<LogvendError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof LogvendError) return thrown;
    throw thrown;
  }
  throw new Error("It did not throw");
}
