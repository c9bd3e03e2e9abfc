/** The child that writes one long answer to its stdout, as fast as it is read. */
import { confine } from "../../protocol/process/confinement.ts";
import { readJsonLines } from "../../protocol/wire/json_lines.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
import { STDOUT, writeRows } from "../../queries/answer/format.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { sqlError } from "../../queries/duckdb/sql_error.ts";
import { createBroadcastTable } from "../../queries/transfer/import.ts";
import { ExportJob } from "./export_job.ts";

/** Of DuckDB; sorts of more spill. */
const MEMORY_BYTES = 512 * 2 ** 20;
/** With what DuckDB does not count: texts and lists that it is at work on. */
const MEMORY_BYTES_MAX = 1.5 * 2 ** 30;
/** Of a file that it spills into, or of the answer, where that goes into a file. */
const FILE_BYTES_MAX = 2 ** 40;
const THREADS_MAX = 2;

/** Takes one job from stdin. @returns the exit code; after 1, stderr ends with a WireError as JSON */
export async function exportWorker(): Promise<number> {
  try {
    const lines = readJsonLines(Deno.stdin.readable);
    const job = ExportJob.parse((await lines.next()).value);
    lines.next().then(() => Deno.exit(1)); // the orchestrator has ended: nobody reads on
    await write(job);
    return 0;
  } catch (error) {
    console.error(`\n${JSON.stringify(toWireError(sqlError(error)))}`);
    return 1;
  }
}

async function write(job: ExportJob) {
  const { broadcast, views, files, select, columns, format, spill_folder, library } = job;
  await using engine = await Engine.open({
    threads: Math.min(THREADS_MAX, navigator.hardwareConcurrency),
    memoryBytes: MEMORY_BYTES,
    spillFolder: spill_folder,
  });
  await engine.freeOrder();
  await engine.lockDown([...files, STDOUT.path], views);
  for (const table of broadcast) await createBroadcastTable(engine, table);
  confine(library, { memoryBytes: MEMORY_BYTES_MAX, fileBytes: FILE_BYTES_MAX, user: null });
  await writeRows(engine, { from: `(${select})`, columns }, format, STDOUT);
}
