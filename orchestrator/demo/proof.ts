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

export interface StoreMeasure {
  /** Of its parts and chunks. */
  bytes: number;
  /**
   * Hours that are over and have parts but no chunk. Parts beside a chunk came late: they wait for
   * a further chunk, which an agent makes once an hour at most.
   */
  unsealedHours: number;
}

/** Parts and chunks below an agent's data folder; names that files have while written match not. */
const PART = /\/parts\/([^/]+)\/(\d{4}-\d\d-\d\dT\d\d)\.[^/]+\.parquet$/;
const CHUNK = /\/stream=([^/]+)\/.*date=([\d-]+)\/hour=(\d\d)\/[^/.][^/]*\.parquet$/;

/** Measures the store of an agent that may be at work. `now` is in milliseconds. */
export async function measureStore(folder: string, nowMs = Date.now()): Promise<StoreMeasure> {
  const thisHour = new Date(nowMs).toISOString().slice(0, 13);
  const withParts = new Set<string>();
  const sealed = new Set<string>();
  let bytes = 0;
  for await (const { path, size } of filesBelow(folder)) {
    const [, stream, hour = ""] = PART.exec(path) ?? [];
    const [, chunkStream, date, hourOfDay] = CHUNK.exec(path) ?? [];
    if (stream !== undefined && hour < thisHour) withParts.add(`${stream} ${hour}`);
    if (chunkStream !== undefined) sealed.add(`${chunkStream} ${date}T${hourOfDay}`);
    if (stream !== undefined || chunkStream !== undefined) bytes += size;
  }
  return { bytes, unsealedHours: withParts.difference(sealed).size };
}

/** Files come and go meanwhile: what is gone when it is looked at is not there. */
async function* filesBelow(folder: string): AsyncGenerator<{ path: string; size: number }> {
  const entries = await unlessGone(Array.fromAsync(Deno.readDir(folder))) ?? [];
  for (const { name, isDirectory } of entries) {
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path);
    else {
      const status = await unlessGone(Deno.stat(path));
      if (status !== null) yield { path, size: status.size };
    }
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
