/** What a start finds after any kind of end: files that no commit names are deleted. */
import { join, relative } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { Catalog } from "./catalog.ts";
import { removeIfThere } from "./durable_file.ts";

/** Folders of the data folder that hold Parquet files. `open` holds copies for queries only. */
const FOLDERS = { parts: "parts", open: "open", chunkPrefix: "stream=" };

/** Deletes leftovers of writes that were never committed. Returns how many. */
export async function removeLeftovers(dataDir: string, catalog: Catalog): Promise<number> {
  const known = new Set(catalog.allFiles().map((file) => file.path));
  let removed = 0;
  for await (const entry of Deno.readDir(dataDir)) {
    const ours = entry.name === FOLDERS.parts || entry.name === FOLDERS.open ||
      entry.name.startsWith(FOLDERS.chunkPrefix);
    if (!entry.isDirectory || !ours) continue;
    for await (const path of filesBelow(join(dataDir, entry.name))) {
      if (known.has(relative(dataDir, path))) continue;
      await removeIfThere(path);
      removed++;
    }
  }
  if (removed > 0) {
    getLogger(["agent", "store"]).info("Removed {removed} files of unfinished writes", { removed });
  }
  return removed;
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* filesBelow(path);
    else yield path;
  }
}
