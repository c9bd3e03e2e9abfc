/**
 * How fast `agent import` turns a log into sealed chunks, and how small they are, beside what
 * everybody has: `grep -c` and `zstd -3` on the same file in the same run.
 */
import { formatBytes } from "../../protocol/units.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeCorpus } from "./corpus.ts";

const LINES = 500_000;

export async function benchIngest(): Promise<void> {
  await using folder = await TempFolder.make();
  const log = folder.join("access.log");
  const bytes = await writeCorpus(log, LINES);
  const yaml = await folder.write(
    "agent.yaml",
    `data_dir: ./data\nstreams:\n  - { name: logs, files: [ ./access.log ] }\n`,
  );
  console.log(`${LINES} lines, ${formatBytes(bytes)}, combined with request time`);
  const grep = await seconds("grep", ["-c", " 404 ", log]);
  const zstd = await seconds("zstd", ["-3", "-q", "-f", "-T1", log, "-o", folder.join("log.zst")]);
  const zstdBytes = (await Deno.stat(folder.join("log.zst"))).size;
  const startedMs = performance.now();
  const args = ourProgram("agent/main.ts", "import", log, "-c", yaml);
  const { code, stdout, stderr } = await runProgram({ args }, 300_000);
  if (code !== 0) throw new Error(stderr);
  const ours = (performance.now() - startedMs) / 1_000;
  console.log(stdout.trimEnd().split("\n").at(-1));
  const rate = Math.round(LINES / ours);
  console.log(`import   ${ours.toFixed(2)} s, ${rate} lines/s, start and sealing included`);
  console.log(`grep -c  ${grep.toFixed(2)} s: import takes ${(ours / grep).toFixed(1)} x as long`);
  console.log(
    `zstd -3  ${zstd.toFixed(2)} s, ${(zstdBytes / bytes).toFixed(3)} of raw: ` +
      `import takes ${(ours / zstd).toFixed(1)} x as long`,
  );
}

async function seconds(command: string, args: string[]): Promise<number> {
  const startedMs = performance.now();
  await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
  return (performance.now() - startedMs) / 1_000;
}
