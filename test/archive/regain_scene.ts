/** A host whose data folder gets lost, its log files, and what its archive holds in the end. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { accountReport } from "../../agent/account/report.ts";
import { runAgent } from "../../agent/agent.ts";
import { readAgentConfig } from "../../agent/config.ts";
import type { AgentConfig } from "../../agent/config.ts";
import { readBooks } from "../../agent/store/files/stored_files.ts";
import { AgentArchive } from "../../protocol/archive/archive_config.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { readObject } from "../../protocol/archive/object_store.ts";
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import { counting } from "../../protocol/chunk/chunk_id.ts";
import { EMPTY_SHAPE, uniteShapes } from "../../protocol/schema/stream_shape.ts";
import { REJECTS, schemaOf } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { shapeOfFile } from "../../queries/restore/file_shape.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();

export interface HostOptions {
  /** More of the stream, as YAML's flow. */
  stream?: string;
  /** Further lines of the configuration. */
  more?: string;
  /** @default a folder of the host's */
  archive?: AgentArchive;
}

export class Host {
  /** What the archive should have in the end, in any order. */
  readonly lines: string[] = [];
  private count = 0;
  /** The same for all lines: their hours are as many, whenever this is. */
  private readonly nowMs = Date.now();

  private constructor(
    readonly folder: TempFolder,
    private readonly path: string,
    private readonly options: HostOptions,
  ) {}

  static async make(folder: TempFolder, options: HostOptions = {}): Promise<Host> {
    await Deno.mkdir(folder.join("logs"), { recursive: true });
    const host = new Host(folder, folder.join("agent.yaml"), options);
    await host.configure(options);
    return host;
  }

  /** Writes its configuration. */
  async configure({ stream = "format: combined", more = "" }: HostOptions) {
    await this.folder.write(
      "agent.yaml",
      `host: web-1
region: eu
data_dir: ./data
flush_every: 100ms
seal_after: 100ms
drain_timeout: 10m
archive: { url: "file:./archive" }
${more}
streams: [ { name: logs, files: [ "./logs/*.log*" ], ${stream} } ]
`,
    );
  }

  /** By name. */
  log(name = "access.log"): string {
    return this.folder.join("logs", name);
  }

  /** Appends text, of which these lines are to be archived. @default all */
  async append(text: string, { log = this.log(), lines = linesOf(text) } = {}) {
    this.lines.push(...lines);
    await Deno.writeTextFile(log, text, { append: true });
  }

  /** Lines of some hours, mixed, the oldest so many hours ago. */
  next(count: number, { from = 9, hours = 3 } = {}): string[] {
    return Array.from({ length: count }, (_, i) => {
      const hour = i % 7 === 0 ? i % hours : Math.floor(i * hours / count);
      return combinedLineAt(this.nowMs - (from - hour) * HOUR_MS, this.count++);
    });
  }

  async write(count: number, of: { from?: number; hours?: number } = {}) {
    await this.append(this.next(count, of).join(""));
  }

  /** An agent reads all, archives all, and ends. */
  async live(): Promise<void> {
    await runAgent(await this.config(), AbortSignal.abort());
  }

  async config(): Promise<AgentConfig> {
    const { archive } = this.options;
    const config = await readAgentConfig(this.path);
    return archive === undefined ? config : { ...config, archive };
  }

  /** Log files stay. */
  async lose() {
    await Deno.remove(this.folder.join("data"), { recursive: true });
  }

  /** Loses the disk: log files come from a copy, as other inodes. */
  async loseAll() {
    await this.lose();
    for await (const { name } of Deno.readDir(this.folder.join("logs"))) {
      const log = this.log(name);
      await Deno.copyFile(log, this.folder.join("copy"));
      await Deno.rename(this.folder.join("copy"), log);
    }
  }

  /** Lines that the data folder has counted as read; what does not add up fails. */
  linesRead(): number {
    const books = readBooks(this.folder.join("data"));
    const { streams, differences } = accountReport(books, ["logs"], () => true);
    assert.deepEqual(differences, []);
    return streams[0]?.read.lines ?? 0;
  }

  /** Packs the log away as log rotation does: the newest is text, older ones are packed. */
  async rotate() {
    const [first, second] = [`${this.log()}.1`, `${this.log()}.2.gz`];
    const old = await Deno.readFile(first).catch(() => null);
    if (old !== null) await Deno.writeFile(second, gzipSync(old));
    await Deno.rename(this.log(), first);
  }

  /** Removes archived chunks: they had not been uploaded yet. Their lines are still in the logs. */
  async forget(isMeant: (index: number) => boolean): Promise<number> {
    await using objects = await this.objects();
    const gone = (await this.chunks()).filter((_, index) => isMeant(index));
    for (const key of gone) await objects.remove(key, signal);
    return gone.length;
  }

  /** Keys of the archived chunks. */
  async chunks(): Promise<string[]> {
    await using objects = await this.objects();
    return (await Array.fromAsync(objects.list("stream=", signal))).map(({ key }) => key);
  }

  async objects(): Promise<ObjectStore> {
    return await openObjectStore((await this.config()).archive ?? AgentArchive.parse({}));
  }

  /** The archive has every line once, and the accounts add up. */
  async check() {
    const there = await this.archived();
    const wanted = this.lines.toSorted();
    const [twice, missing] = [minus(there, wanted), minus(wanted, there)];
    assert.deepEqual({ twice, missing }, { twice: [], missing: [] });
    this.linesRead();
  }

  /** Lines of rows and rejects, sorted. */
  async archived(): Promise<string[]> {
    return [...await this.linesIn("logs"), ...await this.linesIn(REJECTS)].sort();
  }

  private async linesIn(table: string): Promise<string[]> {
    await using objects = await this.objects();
    await using folder = await TempFolder.make();
    await using engine = await Engine.open();
    const files: string[] = [];
    let shape = EMPTY_SHAPE;
    const listed = await Array.fromAsync(objects.list(`stream=${table}/`, signal));
    for (const { key } of counting(listed)) {
      const file = await folder.write(key, await readObject(objects, key, {}, signal));
      files.push(file);
      if (table !== REJECTS) shape = uniteShapes(shape, await shapeOfFile(engine, file));
    }
    if (files.length === 0) return [];
    const schema = schemaOf(table, shape);
    const rows = tableSelect(schema, { files, region: "eu", since: null, until: null });
    const line = table === REJECTS ? "decode(line)" : "line";
    const found = await engine.read(`SELECT ${line} FROM (${rows})`);
    return found.rows.map(([text]) => String(text));
  }
}

/** With a host of its own. */
export async function withHost(
  stream: string,
  run: (host: Host) => Promise<void>,
): Promise<void> {
  await using folder = await TempFolder.make();
  await run(await Host.make(folder, { stream }));
}

/** Whole lines. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

/** What is in one list more often than in the other. */
function minus(some: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return some.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
