/** How fast lines of other formats become sealed chunks, beside `grep -c` and `zstd -3`. */
import { formatBytes } from "../../protocol/units.ts";
import { ourProgram } from "../harness/program.ts";
import type { TempFolder } from "../harness/temp_folder.ts";
import { jsonLine, LOG_FORMAT, logfmtLine, logFormatLine, writeCorpus } from "./corpus.ts";
import type { CorpusLine } from "./corpus.ts";
import { timed } from "./timed.ts";

const LINES = 500_000;

/** Each with the format of its stream. */
const FORMATS: readonly { name: string; format: string; line: CorpusLine }[] = [
  { name: "json", format: "json", line: jsonLine },
  { name: "log_format", format: `{ nginx: '${LOG_FORMAT}' }`, line: logFormatLine },
  { name: "logfmt", format: "logfmt", line: logfmtLine },
];

/** Imports each of them, and compares. */
export async function benchFormats(folder: TempFolder): Promise<void> {
  for (const { name, format, line } of FORMATS) {
    const log = folder.join(`${name}.log`);
    const bytes = await writeCorpus(log, LINES, line);
    const config = await folder.write(
      `${name}.yaml`,
      `data_dir: ./data-${name}
streams:
  - name: logs
    format: ${format}
    files: [ ${name}.log ]
`,
    );
    const grep = await timed(["grep", "-c", "404", log]);
    const zstd = await timed(["zstd", "-3", "-q", "-T1", log, "-o", `${log}.zst`]);
    const args = ourProgram("agent/main.ts", "import", log, "-c", config);
    const { wall, cpu, stdout } = await timed([Deno.execPath(), ...args]);
    const packed = (await Deno.stat(`${log}.zst`)).size / bytes;
    console.log(
      `import of ${LINES} ${name} lines, ${formatBytes(bytes)}: ` +
        `${Math.round(LINES / wall)} lines/s, ${(cpu / LINES * 1e6).toFixed(2)} s of CPU a ` +
        `million lines, ${(wall / zstd.wall).toFixed(1)} x zstd -3, ` +
        `${(wall / grep.wall).toFixed(0)} x grep -c`,
    );
    console.log(`  ${stdout.trimEnd().split("\n").at(-1)}; zstd -3 ${packed.toFixed(3)} of raw`);
  }
}
