/**
 * The store's promises: a restart over many parts, sealing a large hour, the agent's memory at full
 * speed with sealing and queries beside it, and how soon a line is seen by SQL.
 */
import { plainLines } from "../../agent/ingest/line_form.ts";
import { readFile } from "../../agent/ingest/read_file.ts";
import { Store } from "../../agent/store/store.ts";
import { formatBytes } from "../../protocol/units.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { batch, GENERATION } from "../unit/agent/store/scene.ts";
import { writeCorpus } from "./corpus.ts";
import { HelperWatch } from "./process.ts";
import { benchLoad } from "./load.ts";

const PARTS = 1_000;
const ROWS_PER_PART = 100;
const RESTARTS = 5;
const HOUR_ROWS = 2_000_000;

export async function benchStore(): Promise<void> {
  await benchRestart();
  await benchLoad();
  await benchSeal();
}

/** From the start of the process to the moment when it has looked at every file and reads. */
async function benchRestart() {
  await using folder = await TempFolder.make();
  const port = freePort();
  const yaml = await folder.write(
    "agent.yaml",
    `host: web-1\nregion: eu\ndata_dir: ./data\nhttp: 127.0.0.1:${port}\nseal_after: 1h
streams: [ { name: logs, files: [ ./access.log ] } ]\n`,
  );
  await folder.write("access.log", "");
  const empty = await restartMs(yaml, port);
  await makeParts(folder.join("data"));
  const full = await restartMs(yaml, port);
  const [first, second] = [median(full), median(empty)];
  console.log(`restart to tailing, ${PARTS} parts: ${first.toFixed(0)} ms (asked: 2000)`);
  console.log(
    `  without parts ${second.toFixed(0)} ms: ${(first / second).toFixed(2)} x as long`,
  );
}

async function restartMs(yaml: string, port: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < RESTARTS; round++) {
    const startedMs = performance.now();
    await using program = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
    times.push(performance.now() - startedMs);
    program.kill("SIGTERM");
    await program.ended();
  }
  return times;
}

/** As many parts as hours of small flushes leave, all of the hour that goes on. */
async function makeParts(dataDir: string) {
  await using store = await Store.open({
    dataDir,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 3_600_000,
    signal: new AbortController().signal,
  });
  store.putGeneration(GENERATION);
  const nowMs = Date.now();
  for (let part = 0; part < PARTS; part++) {
    await store.append(batch(part * ROWS_PER_PART, ROWS_PER_PART, () => nowMs));
    await store.flush();
  }
}

/** One hour of many rows, sealed by the process that an agent starts for it. */
async function benchSeal() {
  await using folder = await TempFolder.make();
  const log = folder.join("access.log");
  const bytes = await writeCorpus(log, HOUR_ROWS);
  await using store = await Store.open({
    dataDir: folder.join("data"),
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 0,
    signal: new AbortController().signal,
  });
  await readFile({ path: log, stream: "logs", form: plainLines("auto"), sink: store });
  await store.flush();
  using sealing = new HelperWatch(() => Deno.pid, "worker-seal");
  const startedMs = performance.now();
  const [chunk] = await store.sealAll();
  const seconds = (performance.now() - startedMs) / 1_000;
  const zstdMs = performance.now();
  await runProgram({ command: "zstd", args: ["-3", "-q", "-T1", log, "-o", folder.join("zst")] });
  const zstd = (performance.now() - zstdMs) / 1_000;
  console.log(
    `sealing an hour of ${chunk?.rows} rows (${formatBytes(bytes)} of log): its process had ` +
      `${formatBytes(sealing.peak)} (asked: 700 MB)`,
  );
  console.log(
    `  ${seconds.toFixed(1)} s; zstd -3 of the same log ${zstd.toFixed(1)} s: ` +
      `${(seconds / zstd).toFixed(1)} x as long`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
