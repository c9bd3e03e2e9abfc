/**
 * How fast logs become sealed chunks, on one core, how small these are, and what questions cost,
 * beside what everybody has on the same file in the same run: awk, `grep -c`, `zstd -3`.
 */
import { visitorDatabase } from "../../orchestrator/demo/places.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { join } from "node:path";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { formatBytes } from "../../protocol/units.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { ourProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { parquetFiles } from "../unit/agent/store/scene.ts";
import { writeCorpus } from "./corpus.ts";
import { quantile } from "./figures.ts";
import { benchFormats } from "./formats.ts";
import { benchTail } from "./tail.ts";
import { timed } from "./timed.ts";
import type { Timed } from "./timed.ts";

const LINES = 2_000_000;
const ROUNDS = 9;
const AWK_STATUS = "{ n[$9]++ } END { for (status in n) print status, n[status] }";
const SQL_STATUS = "SELECT status, count(*) AS n FROM logs GROUP BY 1";

export async function benchIngest(): Promise<void> {
  await using folder = await TempFolder.make();
  const bytes = await writeCorpus(folder.join("combined.log"), LINES);
  console.log(`${LINES} lines, ${formatBytes(bytes)}, combined with request time; one core`);
  const awk = await others(folder, bytes);
  const run = await imported(folder, awk);
  await importedWithPlaces(folder, run);
  await benchFormats(folder);
  await benchTail();
}

/** Returns what awk takes for the question. */
async function others(folder: TempFolder, bytes: number): Promise<Timed> {
  const log = folder.join("combined.log");
  const packed = folder.join("combined.zst");
  const grep = await timed(["grep", "-c", " 404 ", log]);
  const zstd = await timed(["zstd", "-3", "-q", "-T1", log, "-o", packed]);
  const ratio = (await Deno.stat(packed)).size / bytes;
  const awk = await timed(["awk", AWK_STATUS, log]);
  print("grep -c", grep);
  await fluentBit(folder, log);
  print("zstd -3", zstd, `${ratio.toFixed(4)} of raw`);
  print("awk, by status", awk);
  return awk;
}

/** The fields of a line, for fluent-bit. */
const FLUENT_BIT_PARSER = String.raw`[PARSER]
    Name        access
    Format      regex
    Regex       ^(?<address>\S+) - (?<user>\S+) \[(?<time>[^\]]+)\] "(?<request>[^"]*)" (?<status>\d+) (?<bytes>\S+) "(?<referer>[^"]*)" "(?<agent>[^"]*)" (?<took>\S+)$
    Time_Key    time
    Time_Format %d/%b/%Y:%H:%M:%S %z
`;

/** Reads the log, as it is and with its fields, and throws it away: less than an import does. */
async function fluentBit(folder: TempFolder, log: string) {
  const parsers = await folder.write("parsers.conf", FLUENT_BIT_PARSER);
  for (const parsing of [[], ["-p", "parser=access"]]) {
    const tail = ["-i", "tail", "-p", `path=${log}`, "-p", "read_from_head=true", ...parsing];
    const output = ["-p", "exit_on_eof=true", "-o", "null"];
    const run = await timed(["fluent-bit", "-q", "-R", parsers, ...tail, ...output])
      .catch(() => null);
    if (run === null) return console.log("fluent-bit        not installed, or it failed");
    print(parsing.length === 0 ? "fluent-bit, null" : "… with fields", run);
  }
}

/** The import, what comes back of it, and the same question asked of the log and of the chunks. */
async function imported(folder: TempFolder, awk: Timed): Promise<Timed> {
  const log = folder.join("combined.log");
  const config = await folder.write("combined.yaml", yamlOf("combined", "combined"));
  const run = await timed(agent("import", log, "-c", config), /combined\.log: /);
  print("import", run, rates(run, LINES));
  console.log(`  read after ${run.line.toFixed(2)} s; ${run.stdout.trimEnd().split("\n").at(-1)}`);
  const restored = await timed(["bash", "-c", restoreAndCompare(log, config)]);
  console.log(`  restored: ${restored.stdout.trim()} (cmp)`);
  const file = await timed(agent("query", "--file", log, SQL_STATUS, "-o", "csv"));
  print("query --file", file, `${(file.wall / run.line).toFixed(2)} x the import's reading`);
  const ms = await chunksMs(folder.join("data-combined"));
  console.log(
    `query, chunks     ${ms.toFixed(1)} ms, warm, one thread: ` +
      `awk takes ${(awk.wall * 1_000 / ms).toFixed(0)} x as long`,
  );
  return run;
}

/** The same import with the columns that say where addresses are. */
async function importedWithPlaces(folder: TempFolder, without: Timed) {
  await folder.write("visitors.mmdb", visitorDatabase());
  const geo = "geo: { database: ./visitors.mmdb }\n";
  const config = await folder.write("places.yaml", yamlOf("places", "combined") + geo);
  const run = await timed(agent("import", folder.join("combined.log"), "-c", config));
  const ratio = (run.cpu / without.cpu).toFixed(2);
  print("import with geo", run, `${rates(run, LINES)}: ${ratio} x that without`);
}

/** The question's own time over the chunks of a data folder, in an engine as queries have it. */
async function chunksMs(dataDir: string): Promise<number> {
  const files = await parquetFiles(join(dataDir, "stream=logs"));
  await using engine = await Engine.open();
  const all = {
    region: "r",
    since: null,
    until: null,
    columns: [{ name: "status", type: "INTEGER" }],
  };
  await engine.run(`CREATE VIEW logs AS ${tableSelect(ACCESS, { files, ...all })}`);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = performance.now();
    await engine.read(SQL_STATUS);
    times.push(performance.now() - startedMs);
  }
  return quantile(times, 0.5);
}

function yamlOf(name: string, log: string): string {
  return `data_dir: ./data-${name}\nstreams:\n  - { name: logs, files: [ ./${log}.log ] }\n`;
}

function agent(...args: string[]): string[] {
  return [Deno.execPath(), ...ourProgram("agent/main.ts", ...args)];
}

function restoreAndCompare(log: string, config: string): string {
  const restore = agent("restore", "-c", config).map((arg) => `'${arg}'`).join(" ");
  return `${restore} 2>/dev/null | cmp - '${log}' && echo every byte`;
}

function rates({ wall, cpu }: Timed, lines: number): string {
  const perMillion = cpu / lines * 1e6;
  return `${Math.round(lines / wall)} lines/s, ${perMillion.toFixed(2)} s of CPU a million lines`;
}

function print(name: string, { wall, cpu }: Timed, more = "") {
  console.log(
    `${name.padEnd(17)} ${wall.toFixed(2)} s, CPU ${cpu.toFixed(2)} s  ${more}`.trimEnd(),
  );
}
