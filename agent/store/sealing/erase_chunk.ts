/** Erasing as the store does it: hours are sealed, then chunks are written anew without some rows. */
import { basename, dirname, join } from "node:path";
import type { Erasure } from "../../../protocol/signing/erasure.ts";
import { REJECTS } from "../../../protocol/schema/streams.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import type { Sealer } from "./chunk_writer.ts";
import type { StoredFile } from "../database/catalog.ts";
import { removeIfThere, writeNamed } from "../../../protocol/durable_file.ts";
import type { StoreParts } from "../open_store.ts";
import type { WaitingHour } from "./seal.ts";

/** What goes of which chunk. */
export interface ChunkErasure {
  erasure: string;
  /** Verified just now. */
  chunk: StoredFile;
  shape: StreamShape;
  /** A Parquet file with the places of the rows (queries/erase/rewrite.ts). */
  rows: string;
}

/** The rows of a chunk that are meant, in a file that goes when it is disposed. */
export interface MeantRows extends AsyncDisposable {
  shape: StreamShape;
  /** A Parquet file with their places (queries/erase/rewrite.ts). */
  path: string;
}

/** Null: there is none. @throws {LogvendError} where it cannot be told */
export type RowFinder = (
  erasure: Erasure,
  chunk: StoredFile,
  signal: AbortSignal,
) => Promise<MeantRows | null>;

/** Those of the hours that may hold what is to be erased. */
export function hoursToErase(hours: readonly WaitingHour[], erasure: Erasure): WaitingHour[] {
  const { stream, since, until } = erasure;
  return hours.filter(({ parts }) =>
    parts.some((part) =>
      [stream, REJECTS].includes(part.stream) &&
      part.tsMaxUs >= Date.parse(since) * 1_000 && part.tsMinUs < Date.parse(until) * 1_000
    )
  );
}

/**
 * The new chunk is durable before one commit swaps them; the old one goes after its last reader. Null:
 * the old one has left the store meanwhile, and nothing has been done.
 */
export async function eraseChunk(
  { erasures, keeper, options: { dataDir } }: StoreParts,
  writer: Sealer,
  { erasure, chunk, shape, rows }: ChunkErasure,
): Promise<StoredFile | null> {
  const { stream: table, id, path } = chunk;
  const source = join(dataDir, path);
  const { name, result } = await writeNamed(dirname(source), async (target) => {
    const job = { kind: "rewrite", table, shape, chunk: id, source, rows, target } as const;
    const result = await writer.rewrite(job);
    return { name: basename(path).replace(id, result.chunk), result };
  });
  const { chunk: newId, counts, ...written } = result;
  const after = { ...chunk, ...written, id: newId, path: join(dirname(path), name) };
  if (!erasures.replace(erasure, { before: chunk, after, counts })) {
    await removeIfThere(join(dataDir, after.path));
    return null;
  }
  keeper.verifier.trust([after]);
  await keeper.finishRemovals();
  return after;
}
