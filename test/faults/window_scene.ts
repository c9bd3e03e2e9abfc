/** An agent with windows of a second, and a log of visitors of many kinds. */
import { eventually } from "../harness/eventually.ts";
import type { TempFolder } from "../harness/temp_folder.ts";
import { AgentUnderTest } from "./agent_process.ts";
import { readLiveCommits } from "./data_folder.ts";
import type { FarmSink } from "./sink_farm.ts";
import type { Random } from "./random.ts";
import { assertTruth, truthOfStore } from "./sink_truth.ts";

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const STATUSES = [200, 200, 200, 200, 304, 401, 403, 404, 404, 429, 500] as const;
const PATHS = ["/", "/user/17", "/user/18/cart", "/api/v1/items?page=2", "/old%20page"] as const;

/** All that was written is counted this soon, on a loaded machine, after a clock that stood back. */
const COUNTED_MS = 180_000;

export class WindowScene implements AsyncDisposable {
  lines = 0;

  private constructor(
    private readonly log: string,
    readonly agent: AgentUnderTest,
    readonly sinks: readonly FarmSink[],
    private readonly random: Random,
  ) {}

  /** @param env of the agent */
  static async make(
    { folder, sinks, random, env = {} }: {
      folder: TempFolder;
      sinks: readonly FarmSink[];
      random: Random;
      env?: Record<string, string>;
    },
  ): Promise<WindowScene> {
    const agent = await AgentUnderTest.make({
      folder,
      env,
      sealAfter: "5m",
      more: `windows: { every: 1s, grace: 200ms }\nsinks:\n${
        sinks.map(({ yaml }) => `  - ${yaml}`).join("\n")
      }`,
    });
    const log = await folder.write("logs/web.log", "");
    return new WindowScene(log, agent, sinks, random);
  }

  /** Appends requests of times of the last so many seconds. */
  write(count: number, seconds: number) {
    const lines = Array.from(
      { length: count },
      () => this.line(Date.now() - this.random.between(0, seconds) * 1_000),
    );
    Deno.writeTextFileSync(this.log, lines.join(""), { append: true });
    this.lines += count;
  }

  private line(atMs: number): string {
    const { random } = this;
    const iso = new Date(atMs).toISOString();
    const month = (Number(iso.slice(5, 7)) - 1) * 3;
    const date = `${iso.slice(8, 10)}/${MONTHS.slice(month, month + 3)}/${iso.slice(0, 4)}`;
    return `10.0.0.${random.between(1, 15)} - - [${date}:${iso.slice(11, 19)} +0000] ` +
      `"GET ${random.pick(PATHS)} HTTP/1.1" ${random.pick(STATUSES)} ` +
      `${random.between(0, 9_999)} "-" "agent/${random.between(1, 4)}"\n`;
  }

  /** Resolves when the first sink has every line in some window. */
  async counted(): Promise<void> {
    const [first] = this.sinks;
    await eventually(async () => {
      const newest = new Map<string, { revision: number; count: number }>();
      for (const { id, revision, group, count = 0 } of await first?.contents() ?? []) {
        if (group !== "total" || (newest.get(id)?.revision ?? 0) > revision) continue;
        newest.set(id, { revision, count });
      }
      const sum = [...newest.values()].reduce((sum, { count }) => sum + count, 0);
      if (sum !== this.lines) throw new Error(`${sum} of ${this.lines} lines are counted`);
      return true;
    }, COUNTED_MS);
  }

  /** Resolves when every line is durable, counted or not. */
  async durable(): Promise<void> {
    await eventually(() => {
      const { files } = readLiveCommits(this.agent.dataDir) ?? { files: [] };
      const rows = files.reduce((sum, { rows }) => sum + rows, 0);
      if (rows !== this.lines) throw new Error(`${rows} of ${this.lines} lines are durable`);
      return true;
    }, COUNTED_MS);
  }

  /** Of a running agent: every sink has the truth, sooner or later; then it is stopped. */
  async assertTruth(but: ReadonlyMap<string, ReadonlySet<string>> = new Map()): Promise<string> {
    await this.counted();
    const truth = await truthOfStore(this.agent.dataDir);
    const written = [...truth.values()].filter((text) => / total {2}\d+$/.test(text))
      .reduce((sum, text) => sum + Number(text.split(" ").at(-1)), 0);
    if (written !== this.lines) throw new Error(`The store holds ${written} of ${this.lines}`);
    let events = 0;
    for (const sink of this.sinks) {
      await eventually(async () => {
        const contents = await sink.contents();
        assertTruth(sink.name, contents, truth, but.get(sink.name));
        events = Math.max(events, contents.length);
        return true;
      }, COUNTED_MS);
    }
    await this.agent.stop();
    return `${this.lines} lines, ${truth.size} events, the truth in ${
      this.sinks.map(({ name }) => name).join(", ")
    }`;
  }

  async [Symbol.asyncDispose]() {
    await this.agent[Symbol.asyncDispose]();
  }
}
