/** Seals a finished hour: its parts become one immutable chunk, written by a short-lived process. */
import { join } from "node:path";
import { chunkPath } from "../../protocol/chunk_path.ts";
import { sha256Hex } from "../../protocol/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { SCHEMA_VERSION } from "../../protocol/streams.ts";
import type { Catalog, Run, Sealing, StoredFile } from "./catalog.ts";
import { writeDurably } from "./durable_file.ts";
import type { Leases } from "./leases.ts";
import { runSealProcess } from "./seal_process.ts";

/** An hour is sealed this long after its end even if rows still trickle in. */
const SEAL_LATEST_MS = 15 * 60_000;
/** Late rows make one further chunk per event hour at most this often. */
const RESEAL_EVERY_MS = 3_600_000;

export interface SealContext {
  catalog: Catalog;
  leases: Leases;
  dataDir: string;
  host: string;
  region: string;
  /** Of the process that writes chunks. */
  nice: number;
  clock: () => number;
  signal: AbortSignal;
}

/** What waits of one hour, and the chunks that it has already. */
export interface WaitingHour {
  /** At least one, the oldest first. */
  parts: StoredFile[];
  chunks: StoredFile[];
}

/** The hours of every stream that have parts. */
export function waitingHours(files: readonly StoredFile[]): WaitingHour[] {
  return [...Map.groupBy(files, ({ stream, hour }) => `${stream}/${hour}`).values()]
    .map((group) => ({
      parts: group.filter(({ kind }) => kind === "part"),
      chunks: group.filter(({ kind }) => kind === "chunk"),
    }))
    .filter(({ parts }) => parts.length > 0);
}

export interface Moment {
  nowMs: number;
  /** When this process opened the store. */
  openedMs: number;
  sealAfterMs: number;
  /** Whether the log files have been read to their ends: else more of any hour may lie there. */
  caughtUp: boolean;
}

/**
 * Whether an hour is over, and quiet for `sealAfterMs` or past the latest moment. While files are
 * unread it waits for them, but not for ever: one of them may never be read to its end. Pure.
 */
export function isRipe({ parts, chunks }: WaitingHour, moment: Moment): boolean {
  const { nowMs, openedMs, sealAfterMs, caughtUp } = moment;
  const [first, last] = [parts[0], parts.at(-1)];
  if (first === undefined || last === undefined) return false;
  const endMs = Date.parse(`${first.hour}:00:00Z`) + 3_600_000;
  const sealedMs = Math.max(...chunks.map((chunk) => chunk.createdMs));
  if (nowMs < endMs || nowMs - sealedMs < RESEAL_EVERY_MS) return false;
  if (caughtUp) {
    return nowMs - last.createdMs >= sealAfterMs ||
      nowMs - Math.max(endMs, first.createdMs) >= SEAL_LATEST_MS;
  }
  // Before the start nobody looked for rows: that time does not count as quiet.
  return nowMs - Math.max(last.createdMs, openedMs) >= Math.max(SEAL_LATEST_MS, sealAfterMs) ||
    nowMs - Math.max(endMs, first.createdMs, openedMs) >= RESEAL_EVERY_MS;
}

/** Records the sealing of these parts, so that it ends in the same chunk however often it starts. */
export async function planSealing(context: SealContext, parts: readonly StoredFile[]) {
  const [first] = parts;
  if (first === undefined) throw new Error("Nothing to seal");
  const { stream, hour } = first;
  const runs = mergedRuns(parts);
  const identity = JSON.stringify([
    context.region,
    context.host,
    stream,
    hour,
    SCHEMA_VERSION,
    runs.map(({ generation, start, end }) => [generation, start, end]),
  ]);
  const chunk = (await sha256Hex(identity)).slice(0, 16);
  const sealing: Sealing = { chunk, stream, hour, parts: parts.map((part) => part.id) };
  context.catalog.beginSealing(sealing);
  return sealing;
}

/** Writes the chunk of a recorded sealing, commits it in place of its parts, deletes them. */
export async function seal(context: SealContext, sealing: Sealing): Promise<StoredFile> {
  const { catalog, leases, dataDir, host, region, nice, clock, signal } = context;
  const { stream, hour, chunk } = sealing;
  const wanted = new Set(sealing.parts);
  const parts = catalog.files(stream).filter((file) => wanted.has(file.id));
  const runs = mergedRuns(parts);
  const path = chunkPath({ stream, region, host, hour, chunk });
  const metadata = JSON.stringify({ schema_version: SCHEMA_VERSION, chunk, runs });
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  let result = { rows: 0, bytes: 0, sha256: "" };
  await writeDurably(join(dataDir, path), async (target) => {
    const sources = parts.map((part) => join(dataDir, part.path));
    result = await runSealProcess({ stream, sources, target, metadata }, { nice, signal });
    if (result.rows !== rows) { // the parts are about to be deleted
      throw new LogvendError("internal", `The parts have ${rows} rows, the chunk ${result.rows}`);
    }
  });
  const sealed: StoredFile = {
    id: chunk,
    kind: "chunk",
    stream,
    hour,
    path,
    rows,
    bytes: result.bytes,
    tsMinUs: Math.min(...parts.map((part) => part.tsMinUs)),
    tsMaxUs: Math.max(...parts.map((part) => part.tsMaxUs)),
    runs,
    sha256: result.sha256,
    createdMs: clock(),
  };
  catalog.commitSealing(sealing, sealed);
  for (const part of parts) await leases.remove(join(dataDir, part.path));
  return sealed;
}

/** The source runs of several parts, sorted, neighbours joined. */
function mergedRuns(parts: readonly StoredFile[]): Run[] {
  const sorted = parts.flatMap((part) => part.runs)
    .sort((a, b) =>
      a.generation < b.generation ? -1 : a.generation > b.generation ? 1 : a.start - b.start
    );
  const merged: Run[] = [];
  for (const run of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && last.generation === run.generation && last.end >= run.start) {
      last.end = Math.max(last.end, run.end);
    } else {
      merged.push({ ...run });
    }
  }
  return merged;
}
