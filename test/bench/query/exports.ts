/**
 * Five million rows of five hosts to a file: how long it takes, what memory each kind of process has
 * at its highest, and what a small query takes meanwhile, beside what it takes before.
 */
import { PRODUCT_NICE, TestFleet } from "../../harness/fleet.ts";
import { ourProgram } from "../../harness/program.ts";
import { writeCorpus } from "../corpus.ts";
import { quantile } from "../figures.ts";
import { memoryOf } from "../process.ts";
import { HttpAsker } from "./asker.ts";
import { importInto } from "./imported.ts";

const HOSTS = 5;
const LINES_PER_HOST = 1_000_000;
const FORMATS = ["parquet", "csv"];
const SQL = "SELECT * FROM logs";
const FLAGS = ["--since", "all", "--max-bytes", "20GB", "--timeout", "10m"];
const SMALL = "SELECT 1 AS one";
/** Between two small queries. */
const PAUSE_MS = 50;
const QUIET_ROUNDS = 100;
const SAMPLE_MS = 1_000;

/** Processes by a word of their command line. */
const KINDS: Readonly<Record<string, string>> = {
  orchestrator: "\0serve\0",
  "export process": "\0worker-export",
  agent: "\0run\0-c",
  "a host's query process": "\0worker-query",
  "logvend query": "\0query\0SELECT",
};

export async function benchExports(): Promise<void> {
  const names = Array.from({ length: HOSTS }, (_, i) => `web-${i + 1}`);
  const hosts = Object.fromEntries(names.map((name) => [name, "eu-west-1"]));
  await using fleet = await TestFleet.start({ hosts, broker: "mosquitto", nice: PRODUCT_NICE });
  const log = fleet.path("web-1", "corpus.log");
  await writeCorpus(log, LINES_PER_HOST);
  for (const name of names) await importInto(fleet, name, log);
  const asker = await HttpAsker.of(fleet);
  console.log(`exports of ${HOSTS * LINES_PER_HOST} rows, all processes on these cores`);
  let rounds = 0;
  printSmall("before", await smallMs(asker, () => rounds++ < QUIET_ROUNDS));
  for (const format of FORMATS) await benchExport(fleet, asker, format);
}

async function benchExport(fleet: TestFleet, asker: HttpAsker, format: string) {
  const file = fleet.path("web-1", `answer.${format}`);
  const command = [
    ...[Deno.execPath(), ...ourProgram("orchestrator/main.ts", "query", SQL)],
    ...[...FLAGS, "-o", format],
  ];
  const startedMs = performance.now();
  const child = new Deno.Command("bash", {
    args: ["-c", 'exec "$@" > "$0"', file, ...command],
    env: fleet.env,
    stderr: "null",
  }).spawn();
  let running = true;
  const ended = child.status.finally(() => running = false);
  using memory = new MemoryWatch();
  const times = await smallMs(asker, () => running);
  const { code } = await ended;
  if (code !== 0) throw new Error(`The export ended with exit ${code}`);
  const seconds = (performance.now() - startedMs) / 1_000;
  const { size } = await Deno.stat(file);
  console.log(`  ${format}: ${seconds.toFixed(1)} s, ${(size / 1e6).toFixed(0)} MB`);
  for (const [kind, peak] of memory.peaks) {
    console.log(`    ${kind}: ${(peak / 1e6).toFixed(0)} MB at its highest`);
  }
  printSmall("meanwhile", times);
  await Deno.remove(file);
}

async function smallMs(asker: HttpAsker, more: () => boolean): Promise<number[]> {
  const times: number[] = [];
  while (more()) {
    times.push((await asker.ask(SMALL)).elapsedMs);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times;
}

function printSmall(when: string, times: readonly number[]) {
  const at = (p: number) => quantile(times, p).toFixed(1);
  console.log(`  ${SMALL}, ${when}: p50 ${at(0.5)}  p99 ${at(0.99)} ms (asked meanwhile: p99 50)`);
}

/** The highest memory of each kind of process. */
class MemoryWatch implements Disposable {
  readonly peaks = new Map<string, number>();
  private readonly timer = setInterval(() => this.look(), SAMPLE_MS);

  private look() {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const kind = kindOf(name);
      const now = kind === undefined ? undefined : memoryOf(Number(name))?.now;
      if (kind === undefined || now === undefined) continue;
      this.peaks.set(kind, Math.max(now, this.peaks.get(kind) ?? 0));
    }
  }

  [Symbol.dispose]() {
    clearInterval(this.timer);
  }
}

function kindOf(pid: string): string | undefined {
  try {
    const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
    return Object.keys(KINDS).find((kind) => command.includes(KINDS[kind] ?? "\n"));
  } catch {
    return undefined; // it has ended
  }
}
