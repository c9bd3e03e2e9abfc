/** What the demo proves: lines written against rows stored, and bytes written against bytes kept. */
import { join } from "node:path";

const LINE_FEED = 10;

/** Lines (line feeds, as `wc -l` counts them) and bytes of a file. */
export async function measureLog(path: string): Promise<{ lines: number; bytes: number }> {
  const file = await Deno.open(path);
  let lines = 0;
  let bytes = 0;
  for await (const block of file.readable) {
    bytes += block.length;
    for (let at = block.indexOf(LINE_FEED); at >= 0; at = block.indexOf(LINE_FEED, at + 1)) lines++;
  }
  return { lines, bytes };
}

/** Bytes of all Parquet files below an agent's data folder, and how many parts still wait. */
export async function measureStore(folder: string): Promise<{ bytes: number; parts: number }> {
  let bytes = 0;
  let parts = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) {
      const below = await measureStore(path);
      bytes += below.bytes;
      parts += below.parts;
    } else if (entry.name.endsWith(".parquet")) {
      bytes += (await Deno.stat(path)).size;
      parts += path.includes("/parts/") && !isThisHour(entry.name) ? 1 : 0;
    }
  }
  return { bytes, parts };
}

function isThisHour(part: string): boolean {
  return part.startsWith(new Date().toISOString().slice(0, 13));
}
