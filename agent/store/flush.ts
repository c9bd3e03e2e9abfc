/** Makes the rows in memory durable: one part per stream and event hour, then one commit. */
import { join } from "node:path";
import { SCHEMA_VERSION } from "../../protocol/streams.ts";
import type { Catalog, Flushed, StoredFile } from "./catalog.ts";
import { removeIfThere, writeDurably } from "./durable_file.ts";
import type { HourInMemory, MemoryRows } from "./memory_rows.ts";

export interface FlushRequest {
  memory: MemoryRows;
  catalog: Catalog;
  dataDir: string;
  /** What else changed since the last flush. */
  changed: Omit<Flushed, "parts">;
  nowMs: number;
}

/**
 * Writes the parts, then commits them together with the offsets that they cover. When it throws
 * nothing has been committed and memory still holds every row: calling it again is safe.
 */
export async function flush(request: FlushRequest): Promise<StoredFile[]> {
  const { memory, catalog, dataDir, changed } = request;
  const parts: StoredFile[] = [];
  try {
    for (const hour of await memory.hours()) parts.push(await writePart(request, hour));
    const nothing = [parts, changed.generations, changed.gaps].every(({ length }) => length === 0);
    if (!nothing) catalog.commitFlush({ parts, ...changed });
  } catch (error) {
    for (const part of parts) await removeIfThere(join(dataDir, part.path));
    throw error;
  }
  if (memory.rows > 0) await memory.clear();
  return parts;
}

async function writePart(request: FlushRequest, entry: HourInMemory): Promise<StoredFile> {
  const { memory, dataDir, nowMs } = request;
  const id = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const path = join("parts", entry.stream, `${entry.hour}.${id}.parquet`);
  const runs = memory.runsOf(entry.stream);
  const metadata = JSON.stringify({ schema_version: SCHEMA_VERSION, runs });
  await writeDurably(join(dataDir, path), (file) => memory.copyHour(entry, file, metadata));
  const { size } = await Deno.stat(join(dataDir, path));
  const { stream, hour, rows, tsMinUs, tsMaxUs } = entry;
  return {
    id,
    kind: "part",
    stream,
    hour,
    path,
    rows,
    bytes: size,
    tsMinUs,
    tsMaxUs,
    runs,
    sha256: null,
    createdMs: nowMs,
  };
}
