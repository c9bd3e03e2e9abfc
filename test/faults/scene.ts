/** One agent, one folder of log files, one count of lines: what most fault scenarios need. */
import { eventually } from "../harness/eventually.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_under_test.ts";
import type { AgentOptions } from "./agent_under_test.ts";
import { readCommits, readLiveCommits } from "./data_folder.ts";
import { assertOnce, storedLines } from "./stored_lines.ts";
import type { Expected } from "./stored_lines.ts";
import { LineNumbers, LogFile } from "./writer.ts";
import type { LineFormat } from "./writer.ts";

/** A loaded machine takes a while for what a free one does at once. */
const SETTLE_MS = 30_000;

/** Times of lines in scenarios that are not about times: an hour that is long over. */
export const PAST_MS = Date.UTC(2026, 0, 15, 10);

export class Scene implements AsyncDisposable {
  readonly numbers = new LineNumbers();

  private constructor(readonly folder: TempFolder, readonly agent: AgentUnderTest) {}

  static async make(options: Omit<AgentOptions, "folder"> = {}): Promise<Scene> {
    const folder = await TempFolder.make();
    return new Scene(folder, await AgentUnderTest.make({ folder, ...options }));
  }

  /** A log file `<name>.log` that the agent follows with its rotated files, when it runs. */
  log(name: string, format: LineFormat = "combined"): LogFile {
    return new LogFile(this.logPath(`${name}.log`), this.numbers, format);
  }

  logPath(name: string): string {
    return this.folder.join("logs", name);
  }

  /** Resolves when the running agent has made `count` lines durable. */
  async durable(count: number, deadlineMs = SETTLE_MS): Promise<void> {
    await eventually(() => {
      const lines = readLiveCommits(this.agent.dataDir)?.lines ?? 0;
      if (lines < count) throw new Error(`${lines} of ${count} lines are durable`);
      return true;
    }, deadlineMs);
  }

  /** Waits until every line is durable, stops the agent, and looks for each line. */
  async assertAllStored(lines = this.numbers.count): Promise<string> {
    await this.durable(lines);
    await this.agent.stop();
    return await this.assertStored({ lines: this.numbers.from() });
  }

  /** Looks for lines in the folder of a stopped agent; returns the counts for the report. */
  async assertStored(expected: Expected): Promise<string> {
    const stored = await storedLines(this.agent.dataDir);
    assertOnce(stored, expected);
    const { gapBytes } = await readCommits(this.agent.dataDir);
    const gap = gapBytes > 0 ? `, ${gapBytes} bytes of gap counted` : "";
    return `${this.numbers.count} lines written, ${stored.size} stored once${gap}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}
