/** A day of one host in 24 chunks, as sealing writes them: the corpus' hour again and again. */
import { chunkPath } from "../../../protocol/chunk/chunk_path.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { ourProgram, runProgram } from "../../harness/program.ts";
import type { TempFolder } from "../../harness/temp_folder.ts";
import { parquetFiles } from "../../unit/agent/store/scene.ts";
import { writeCorpus } from "../corpus.ts";

/** When the day begins. */
export const DAY_MS = Date.parse("2026-11-21T00:00:00Z");

const CORPUS_HOUR = "2026-11-22 18:00:00";
const IMPORT_MS = 300_000;

/** The key of the chunk of one hour. */
export function chunkKey(host: string, hour: number): string {
  const place = { stream: "logs", region: "eu", host, chunk: String(hour).padStart(16, "0") };
  return chunkPath({ ...place, hour: `2026-11-21T${String(hour).padStart(2, "0")}` });
}

/** Returns the paths of the chunks, by hour. */
export async function writeDay(
  folder: TempFolder,
  { linesPerHour }: { linesPerHour: number },
): Promise<string[]> {
  const log = folder.join("corpus.log");
  await writeCorpus(log, linesPerHour);
  const config = await folder.write(
    "day.yaml",
    "host: web-1\nregion: eu\ndata_dir: ./day\nstreams: [ { name: logs, files: [ ./none.log ] } ]\n",
  );
  const args = ourProgram("agent/main.ts", "import", log, "-c", config);
  const { code, stderr } = await runProgram({ args }, IMPORT_MS);
  if (code !== 0) throw new Error(stderr);
  const [chunk = ""] = (await parquetFiles(folder.join("day")))
    .filter((path) => path.includes("stream=logs"));
  await using engine = await Engine.open({ threads: 2, memoryBytes: 1e9 });
  const paths = Array.from({ length: 24 }, (_, hour) => folder.join("data", `${hour}.parquet`));
  await Deno.mkdir(folder.join("data"), { recursive: true });
  for (const [hour, path] of paths.entries()) {
    const start = new Date(DAY_MS + hour * 3_600_000).toISOString();
    const shift = `(TIMESTAMP ${literal(start.slice(0, 19))} - TIMESTAMP ${literal(CORPUS_HOUR)})`;
    await engine.run(`COPY (
      SELECT * REPLACE (ts + ${shift} AS ts)
      FROM read_parquet(${literal(chunk)}, hive_partitioning = false)
    ) TO ${literal(path)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
      ROW_GROUP_SIZE 500000, KV_METADATA {logvend: '{"a":1}'})`);
  }
  return paths;
}
