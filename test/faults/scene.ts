/** One agent, one folder of log files, one count of lines: what most fault scenarios need. */
import { join } from "node:path";
import { accountReport } from "../../agent/account/report.ts";
import { readBooks } from "../../agent/store/files/stored_files.ts";
import { eventually } from "../harness/eventually.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_process.ts";
import type { AgentOptions } from "./agent_process.ts";
import { readCommits, readLiveCommits, retiredRows } from "./data_folder.ts";
import type { Commits } from "./data_folder.ts";
import { assertOnce, linesOf, storedLines } from "./stored_lines.ts";
import type { Expected } from "./stored_lines.ts";
import { LineNumbers, LogFile } from "./writer.ts";
import type { LineFormat } from "./writer.ts";

/** A loaded machine takes a while for what a free one does at once. */
const SETTLE_MS = 180_000;

/** Times of lines in scenarios that are not about times: an hour that is long over. */
export const PAST_MS = Date.UTC(2026, 0, 15, 10);

export interface SceneParts {
  folder: TempFolder;
  agent: AgentUnderTest;
  /** Folder of the log files. */
  logs: string;
}

export class Scene implements AsyncDisposable {
  readonly numbers = new LineNumbers();
  private ends = 0;
  /** Numbers of lines that retention may have removed. */
  private readonly retirable = new Set<number>();

  private constructor(private readonly parts: SceneParts) {}

  static async make(options: Omit<AgentOptions, "folder"> = {}): Promise<Scene> {
    const folder = await TempFolder.make();
    const agent = await AgentUnderTest.make({ folder, ...options });
    return new Scene({ folder, agent, logs: folder.join("logs") });
  }

  /** Of parts that somebody else disposes of. */
  static of(parts: SceneParts): Scene {
    return new Scene(parts);
  }

  get agent(): AgentUnderTest {
    return this.parts.agent;
  }

  get folder(): TempFolder {
    return this.parts.folder;
  }

  /** A log file `<name>.log` that the agent follows with its rotated files, when it runs. */
  log(name: string, format: LineFormat = "combined"): LogFile {
    return new LogFile(this.logPath(`${name}.log`), this.numbers, format);
  }

  logPath(name: string): string {
    return join(this.parts.logs, name);
  }

  /** Resolves when the running agent has made `count` lines durable. */
  async durable(count: number, deadlineMs = SETTLE_MS): Promise<void> {
    await eventually(() => {
      const commits = readLiveCommits(this.agent.dataDir);
      const rows = commits === null ? 0 : rowsOf(commits);
      if (rows < count) throw new Error(`${rows} of ${count} lines are durable`);
      return true;
    }, deadlineMs);
  }

  /** Resolves when a file has been read to its end, durably. */
  async fileDurable(path: string): Promise<void> {
    await eventually(() => {
      const { size } = Deno.statSync(path);
      const commits = readLiveCommits(this.agent.dataDir);
      const offsets = [...commits?.paths ?? []].filter(([, other]) => other === path)
        .map(([id]) => commits?.offsets.get(id));
      if (!offsets.includes(size)) throw new Error(`${path} is read to ${offsets}, not to ${size}`);
      return true;
    }, SETTLE_MS);
  }

  /** Resolves when all files there are have been looked at: a line in a new one comes last. */
  async allRead(): Promise<void> {
    const last = this.log(`end-${++this.ends}`);
    last.append(1, PAST_MS);
    await this.fileDurable(last.path);
  }

  /** Resolves when the running agent has sealed every hour; late parts of it may wait. */
  async sealed(): Promise<void> {
    await eventually(() => {
      const files = readLiveCommits(this.agent.dataDir)?.files ?? [];
      const hours = Map.groupBy(files, ({ stream, hour }) => `${stream}/${hour}`);
      const open = [...hours].filter(([, ofHour]) => ofHour.every(({ kind }) => kind === "part"));
      if (open.length > 0 || hours.size === 0) throw new Error(`${open.length} hours not sealed`);
      return true;
    }, SETTLE_MS);
  }

  /**
   * Of a stopped agent: from now on what it has sealed may be removed, if that is counted; so may
   * what it was sealing, as the next agent ends that.
   */
  async mayRetire(): Promise<void> {
    const { files, sealings } = await readCommits(this.agent.dataDir);
    const begun = new Set(sealings.flatMap(({ parts }) => parts));
    const sealed = files.filter(({ id, kind }) => kind === "chunk" || begun.has(id));
    const lines = await linesOf(this.agent.dataDir, sealed);
    for (const number of lines.keys()) this.retirable.add(number);
  }

  /**
   * Waits until every line is durable, stops the agent, and looks for each line. `others`: lines
   * without a number.
   */
  async assertAllStored(others = 0): Promise<string> {
    await this.durable(this.numbers.count + others);
    await this.allRead();
    await this.agent.stop();
    const counts = await this.assertStored({
      lines: this.numbers.from().filter((number) => !this.retirable.has(number)),
      maybe: [...this.retirable],
    });
    const rows = rowsOf(await readCommits(this.agent.dataDir));
    if (rows !== this.numbers.count + others) {
      throw new Error(`${counts}; of ${others} without a number ${rows - this.numbers.count} are`);
    }
    return counts;
  }

  /** Looks for lines in the folder of a stopped agent; returns the counts for the report. */
  async assertStored(expected: Expected): Promise<string> {
    const stored = await storedLines(this.agent.dataDir);
    const commits = await readCommits(this.agent.dataDir);
    const { gapBytes } = commits;
    const gap = gapBytes > 0 ? `, ${gapBytes} bytes of gap counted` : "";
    const retired = retiredRows(commits);
    assertOnce(stored, { ...expected, retired });
    if (retired > 0 && stored.size + retired !== this.numbers.count) {
      throw new Error(`${this.numbers.count} written, ${stored.size} stored, ${retired} removed`);
    }
    const { differences } = accountReport(readBooks(this.agent.dataDir), ["logs"], () => true);
    if (differences.length > 0) throw new Error(`The account: ${differences.join("; ")}`);
    const removed = retired > 0 ? `, ${retired} removed by retention` : "";
    return `${this.numbers.count} lines written, ${stored.size} stored once${removed}${gap}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Rows that are stored, or were until retention removed them. */
function rowsOf(commits: Commits): number {
  return commits.files.reduce((sum, { rows }) => sum + rows, retiredRows(commits));
}
