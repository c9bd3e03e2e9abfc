/** `logvend shell`: statements and commands one after the other, as `logvend query` answers each. */
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import { reasonOf } from "../../../protocol/file_error.ts";
import { formatDurationMs } from "../../../protocol/units.ts";
import type { HostRecord } from "../../api/events.ts";
import type { ApiClient } from "../client.ts";
import { queryCommand } from "../query.ts";
import type { QueryOptions } from "../ask.ts";
import { signedQuestion } from "../question.ts";
import type { Terminal } from "../terminal.ts";
import type { TableColumns } from "./complete.ts";
import { COMMAND_NAMES, runCommand } from "./commands.ts";
import { Statements } from "./statements.ts";

/** Files may name files; one that names itself ends here. */
const INCLUDE_DEPTH_MAX = 8;

const HOSTS_TIMEOUT_MS = 10_000;

const CATALOG_SQL = "SELECT table_name, column_name FROM information_schema.columns";

export class Shell {
  /** Of the last statement that was not whole; 0: all were. */
  exitCode = 0;
  timing = false;
  isOver = false;
  tables: TableColumns = new Map();
  readonly commands = COMMAND_NAMES;
  readonly typed = new Statements();
  private running: AbortController | null = null;
  private depth = 0;

  constructor(
    private readonly client: ApiClient,
    private readonly terminal: Terminal,
    readonly options: QueryOptions,
  ) {}

  /** Takes a line as it was typed, and runs what it ends. @throws what a statement fails with */
  async take(line: string, typed = this.typed): Promise<void> {
    if (typed.pending === "" && line.trimStart().startsWith("\\")) {
      await this.cancellable(() => runCommand(this, line));
      return;
    }
    for (const sql of typed.add(line)) await this.ask(sql);
  }

  /** Runs what has no semicolon yet. */
  async takeRest(typed = this.typed): Promise<void> {
    for (const sql of typed.end()) await this.ask(sql);
  }

  /** Asks the fleet, and prints what it says. */
  async ask(sql: string): Promise<void> {
    const startMs = performance.now();
    await this.cancellable(async (signal) => {
      const terminal = { ...this.terminal, signal };
      const code = await queryCommand({
        sql,
        options: this.options,
        client: this.client,
        terminal,
      });
      if (code !== 0) this.exitCode = code;
    });
    if (this.timing) this.say(`Time: ${formatDurationMs(performance.now() - startMs)}`);
  }

  /** Stops what runs; false: nothing does. */
  cancel(): boolean {
    this.running?.abort(new LogvendError("cancelled", "Cancelled on every host"));
    return this.running !== null;
  }

  leave(): void {
    this.isOver = true;
  }

  /** An empty text is the default. */
  set(option: "on" | "since", text: string): void {
    if (text === "") delete this.options[option];
    else this.options[option] = text;
  }

  /** Runs a file. @throws {LogvendError} usage, and what its statements fail with */
  async include(file: string): Promise<void> {
    if (this.depth >= INCLUDE_DEPTH_MAX) {
      throw new LogvendError("usage", `\\i ${file}: files name files, ${this.depth} deep`);
    }
    let text: string;
    try {
      text = await Deno.readTextFile(file);
    } catch (cause) {
      throw new LogvendError("usage", `Cannot read ${file}: ${reasonOf(cause)}`, { cause });
    }
    this.depth++;
    try {
      const typed = new Statements();
      for (const line of text.split("\n")) {
        if (this.isOver) return;
        await this.take(line, typed);
      }
      await this.takeRest(typed);
    } finally {
      this.depth--;
    }
  }

  async hosts(): Promise<HostRecord[]> {
    return await this.cancellable((signal) =>
      this.client.hosts(AbortSignal.any([signal, AbortSignal.timeout(HOSTS_TIMEOUT_MS)]))
    );
  }

  /** Looks which tables and columns there are. No host is asked. */
  async refresh(): Promise<void> {
    const { client, options, terminal: { signal, now } } = this;
    const { sql, token, broadcast } = await signedQuestion(CATALOG_SQL, options, now());
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const event of client.query({ sql, token, broadcast, format: "jsonl", signal })) {
      if (event.type === "data") pieces.push(event.bytes);
    }
    const rows = (await new Blob(pieces).text()).split("\n").filter((line) => line !== "")
      .map((line): { table_name: string; column_name: string } => JSON.parse(line));
    const grouped = Map.groupBy(rows, ({ table_name }) => table_name);
    this.tables = new Map(
      [...grouped].map(([table, columns]) => [table, columns.map((row) => row.column_name)]),
    );
  }

  async print(text: string): Promise<void> {
    await this.terminal.write(text);
  }

  /** Beside the rows. */
  say(line: string): void {
    this.terminal.error(line);
  }

  /** Says what failed; the shell goes on. */
  fail(error: unknown): void {
    this.exitCode = error instanceof LogvendError ? error.exitCode : 70;
    this.say(messageOf(error));
  }

  /** One thing runs at a time; what it runs itself is part of it. */
  private async cancellable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const outer = this.running;
    const running = outer ?? new AbortController();
    this.running = running;
    try {
      return await work(AbortSignal.any([this.terminal.signal, running.signal]));
    } finally {
      this.running = outer;
    }
  }
}
