/** Seals finished hours: the parts of each become one immutable chunk. */
import { join } from "node:path";
import { sealedId } from "../../../protocol/chunk/chunk_id.ts";
import { chunkPath } from "../../../protocol/chunk/chunk_path.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import { SCHEMA_VERSION, schemaOf } from "../../../protocol/schema/streams.ts";
import type { Catalog, Sealing, StoredFile } from "../database/catalog.ts";
import { DamagedSources } from "./chunk_writer.ts";
import type { Sealer } from "./chunk_writer.ts";
import { writeDurably } from "../../../protocol/durable_file.ts";
import { factsOf, metadataText } from "../files/file_metadata.ts";
import type { Leases } from "../files/leases.ts";
import { mergeRuns } from "../recovery/reconcile.ts";
import type { StoreObserver } from "../observer.ts";

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
  /** What ids of chunks are made with, besides (FormerLines). */
  mark: string | null;
  /** What writes the chunks, made for one round. */
  newSealer: () => Sealer;
  clock: () => number;
  observer: StoreObserver | undefined;
  /** Takes parts out of the store that are not what was written. */
  damaged: (parts: readonly StoredFile[]) => Promise<void>;
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

/**
 * Ends the sealings that were begun, then seals these hours, with one sealer. Returns the chunks,
 * and why others could not be sealed: one hour must not stop the others.
 */
export async function sealHours(
  context: SealContext,
  hours: readonly WaitingHour[],
): Promise<{ sealed: StoredFile[]; failures: unknown[] }> {
  const { catalog, newSealer, observer } = context;
  const sealed: StoredFile[] = [];
  const failures: unknown[] = [];
  await using sealer = newSealer();
  const attempt = async (plan: () => Sealing | Promise<Sealing>) => {
    const startedMs = performance.now();
    try {
      const chunk = await seal(context, sealer, await plan());
      if (chunk === null) return;
      sealed.push(chunk);
      observer?.sealed((performance.now() - startedMs) / 1_000);
    } catch (error) {
      observer?.failed("seal");
      failures.push(error);
    }
  };
  for (const sealing of catalog.sealings()) await attempt(() => sealing);
  for (const { parts } of hours) await attempt(() => planSealing(context, parts));
  return { sealed, failures };
}

/** Records the sealing of these parts, so that it ends in the same chunk however often it starts. */
function planSealing(context: SealContext, parts: readonly StoredFile[]): Sealing {
  const [first] = parts;
  if (first === undefined) throw new Error("Nothing to seal");
  const { stream, hour } = first;
  const runs = mergeRuns(parts.flatMap((part) => part.runs));
  const { region, host, mark } = context;
  const from = { schemaVersion: SCHEMA_VERSION, runs, mark };
  const chunk = sealedId({ region, host, stream, hour }, from);
  const sealing: Sealing = { chunk, stream, hour, parts: parts.map((part) => part.id) };
  context.catalog.beginSealing(sealing);
  return sealing;
}

/**
 * Writes the chunk of a recorded sealing, commits it in place of its parts, deletes them. Damaged
 * parts are taken out, and the others sealed; null when none is left.
 */
async function seal(
  context: SealContext,
  sealer: Sealer,
  sealing: Sealing,
): Promise<StoredFile | null> {
  const { catalog, leases, dataDir } = context;
  const wanted = new Set(sealing.parts);
  const parts = catalog.filesOfHour(sealing.stream, sealing.hour)
    .filter((file) => wanted.has(file.id));
  try {
    const chunk = await writeChunk(context, sealer, { sealing, parts });
    catalog.commitSealing(sealing, chunk);
    for (const part of parts) await leases.remove(join(dataDir, part.path));
    return chunk;
  } catch (error) {
    if (!(error instanceof DamagedSources)) throw error;
    const isDamaged = ({ path }: StoredFile) => error.paths.includes(join(dataDir, path));
    await context.damaged(parts.filter(isDamaged));
    const rest = parts.filter((part) => !isDamaged(part));
    return rest.length === 0 ? null : await seal(context, sealer, planSealing(context, rest));
  }
}

interface ChunkRequest {
  sealing: Sealing;
  parts: readonly StoredFile[];
}

/** @throws {DamagedSources} when parts are not what was written; there is no chunk then */
async function writeChunk(
  { catalog, dataDir, host, region, clock, mark }: SealContext,
  sealer: Sealer,
  { sealing, parts }: ChunkRequest,
): Promise<StoredFile> {
  const { stream, hour, chunk: id } = sealing;
  const path = chunkPath({ stream, region, host, hour, chunk: id });
  const facts = {
    id,
    kind: "chunk",
    stream,
    hour,
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    tsMinUs: Math.min(...parts.map((part) => part.tsMinUs)),
    tsMaxUs: Math.max(...parts.map((part) => part.tsMaxUs)),
    createdMs: clock(),
    runs: mergeRuns(parts.flatMap((part) => part.runs)),
  } as const;
  const ids = [...new Set(facts.runs.map(({ generation }) => generation))];
  const generations = catalog.generationsAndOrigins(ids)
    .map(({ generation, origin }) => factsOf(generation, origin));
  // A sealing that was recorded before the folder had a mark has an id without.
  const from = { schemaVersion: SCHEMA_VERSION, runs: facts.runs, mark };
  const isMarked = mark !== null && sealedId({ region, host, stream, hour }, from) === id;
  const more = { flush: null, generations, account: null, ...isMarked ? { mark } : {} };
  const metadata = metadataText(facts, more);
  const sources = parts.map((part) => ({ path: join(dataDir, part.path), sha256: part.sha256 }));
  const columns = [...schemaOf(stream, catalog.shape(stream) ?? undefined).physical];
  let result = { rows: 0, bytes: 0, sha256: "" };
  await writeDurably(join(dataDir, path), async (target) => {
    result = await sealer.run({ columns, sources, target, metadata });
    if (result.rows !== facts.rows) { // the parts are about to be deleted
      const { rows } = facts;
      throw new LogvendError("internal", `The parts have ${rows} rows, the chunk ${result.rows}`);
    }
  });
  return { ...facts, path, bytes: result.bytes, sha256: result.sha256 };
}
