/** Makes the rows in memory durable: one part per stream and event hour, then one commit. */
import { join } from "node:path";
import type { Generation } from "../batch.ts";
import type { Catalog, Flushed, Run, StoredFile } from "../database/catalog.ts";
import { removeIfThere, writeDurably } from "../../../protocol/durable_file.ts";
import { factsOf, metadataText } from "../files/file_metadata.ts";
import type { FileMetadata } from "../files/file_metadata.ts";
import type { HourInMemory, MemoryRows } from "./memory_rows.ts";
import { mergeRuns } from "../recovery/reconcile.ts";
import { hashFile } from "../files/verify.ts";

export interface FlushRequest {
  memory: MemoryRows;
  catalog: Catalog;
  dataDir: string;
  /** What else changed since the last flush. */
  changed: Omit<Flushed, "parts" | "touched">;
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
    const hours = memory.hours();
    const streams = new Set(hours.map(({ stream }) => stream));
    const all = mergeRuns([...streams].flatMap((stream) => memory.runsOf(stream)));
    const flush = { id: randomId(), parts: hours.length, runs: all };
    for (const [index, entry] of hours.entries()) {
      const runs = memory.runsOf(entry.stream);
      const ids = new Set(runs.map(({ generation }) => generation));
      const isFirst = index === 0;
      const generations = changed.generations.filter(({ id }) => isFirst || ids.has(id));
      const account = isFirst ? { counts: [...changed.counts], gaps: [...changed.gaps] } : null;
      parts.push(await writePart(request, { entry, runs, flush, generations, account }));
    }
    const nothing = [parts, changed.generations, changed.gaps].every(({ length }) => length === 0);
    const touched = hours.flatMap(({ stream, stretches }) =>
      stretches.map((stretch) => ({ stream, ...stretch }))
    );
    if (!nothing) catalog.commitFlush({ parts, touched, ...changed });
  } catch (error) {
    for (const part of parts) await removeIfThere(join(dataDir, part.path));
    throw error;
  }
  if (memory.rows > 0) memory.clear();
  return parts;
}

interface PartRequest extends Pick<FileMetadata, "flush" | "account"> {
  entry: HourInMemory;
  runs: Run[];
  /** Whose facts the part holds: those of its runs, for its fellows may be sealed or damaged. */
  generations: readonly Generation[];
}

async function writePart(
  { memory, dataDir, nowMs, changed }: FlushRequest,
  { entry, runs, flush, generations, account }: PartRequest,
): Promise<StoredFile> {
  const { stream, hour, rows, tsMinUs, tsMaxUs } = entry;
  const id = randomId();
  const path = join("parts", stream, `${hour}.${id}.parquet`);
  const facts = { id, kind: "part", stream, hour, rows, tsMinUs, tsMaxUs } as const;
  const part = { ...facts, runs, createdMs: nowMs };
  const metadata = metadataText(part, {
    flush,
    account,
    generations: generations.map((g) => factsOf(g, changed.origins.get(g.id))),
  });
  let sha256 = "";
  await writeDurably(join(dataDir, path), async (file) => {
    await memory.copyHour(entry, file, metadata);
    sha256 = await hashFile(file);
  });
  const { size: bytes } = await Deno.stat(join(dataDir, path));
  return { ...part, path, bytes, sha256 };
}

function randomId(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}
