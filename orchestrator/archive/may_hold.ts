/**
 * Whether a chunk may hold rows that are to be erased, told from its end: times, smallest and largest
 * texts, filters. Where that says nothing it may: a row that is left behind is worse than a chunk read.
 */
import { readObject } from "../../protocol/archive/object_store.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { withoutRefused } from "../../queries/chunk/bloom_filter.ts";
import { chooseRowGroups, storedValues } from "../../queries/chunk/choose.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";
import { readFooter } from "../../queries/chunk/footer.ts";
import type { ErasedCondition } from "../../queries/erase/condition.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";

/** What is looked for. */
export interface LookedFor {
  /** Half-open over `ts`: ISO 8601, UTC. */
  erasure: { since: string; until: string };
  condition: Pick<ErasedCondition, "values">;
}

/** @throws {ObjectStoreError} */
export async function mayHold(
  { store, object: { key, etag, bytes }, place }: ArchivedChunk,
  { erasure, condition }: LookedFor,
  signal: AbortSignal,
): Promise<boolean> {
  if (place.stream === REJECTS) return true; // of lines, not of columns
  const read = (range: ByteRange) => readObject(store, key, { range, ifMatch: etag }, signal);
  const footer = await readFooter(read, bytes).catch((error) => {
    if (error instanceof ChunkError) return null; // whoever reads it whole says what it is
    throw error;
  });
  if (footer === null) return true;
  const [sinceUs = 0, untilUs = 0] = [erasure.since, erasure.until]
    .map((iso) => Date.parse(iso) * 1_000);
  const values = storedValues(footer, condition.values);
  const groups = chooseRowGroups(footer, { sinceUs, untilUs, values });
  return (await withoutRefused(read, groups, values)).length > 0;
}
