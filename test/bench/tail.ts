/** What an agent costs that follows a log at the rate of a busy web server: CPU and memory. */
import { formatBytes } from "../../protocol/units.ts";
import { ourProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { cpuSecondsOf, memoryOf } from "./process.ts";

const LINES_PER_SECOND = 10_000;
const MEASURED_MS = 120_000;
/** Its start is not measured. */
const SETTLE_MS = 5_000;

export async function benchTail(): Promise<void> {
  await using folder = await TempFolder.make();
  const log = await folder.write("access.log", "");
  const config = await folder.write(
    "agent.yaml",
    `host: web-1\nregion: eu\ndata_dir: ./data\nstreams: [ { name: logs, files: [ ./access.log ] } ]\n`,
  );
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await using _load = startProgram({
    args: ourProgram(
      "orchestrator/main.ts",
      ...["generate", "--out", log, "--rate", String(LINES_PER_SECOND)],
    ),
  });
  await pause(SETTLE_MS);
  const [cpu, bytes, startedMs] = [cpuSecondsOf(agent.pid), await sizeOf(log), performance.now()];
  await pause(MEASURED_MS);
  const seconds = (performance.now() - startedMs) / 1_000;
  const used = (cpuSecondsOf(agent.pid) - cpu) / seconds;
  const rate = (await sizeOf(log) - bytes) / seconds;
  const { peak = NaN } = memoryOf(agent.pid) ?? {};
  console.log(
    `tailing ${LINES_PER_SECOND} lines/s (${formatBytes(rate)}/s) over ${seconds.toFixed(0)} s: ` +
      `${(used * 100).toFixed(1)} % of a core, highest memory ${formatBytes(peak)}`,
  );
}

async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).size;
}

async function pause(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
