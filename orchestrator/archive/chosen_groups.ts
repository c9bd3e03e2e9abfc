/**
 * Which row groups of a chunk may hold rows that are to be erased, told from its end: times, smallest
 * and largest texts, filters. Where that says nothing one may: a row that is left behind is worse than
 * bytes that are read.
 */
import { readObject } from "../../protocol/archive/object_store.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { withoutRefused } from "../../queries/chunk/bloom_filter.ts";
import { chooseRowGroups, storedValues } from "../../queries/chunk/choose.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";
import { readFooter } from "../../queries/chunk/footer.ts";
import type { Footer, RowGroup } from "../../queries/chunk/footer.ts";
import type { ErasedCondition } from "../../queries/erase/condition.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";

/** What is looked for. */
export interface LookedFor {
  /** Half-open over `ts`: ISO 8601, UTC. */
  erasure: { stream: string; since: string; until: string };
  condition: Pick<ErasedCondition, "values">;
}

/** The end of a chunk, and its row groups that may hold such rows. */
export interface ChosenGroups {
  footer: Footer;
  groups: RowGroup[];
}

/** Null: its end cannot be read; whoever reads it whole says what it is. @throws {ObjectStoreError} */
export async function chosenGroups(
  { store, object: { key, etag, bytes }, place }: ArchivedChunk,
  { erasure, condition }: LookedFor,
  signal: AbortSignal,
): Promise<ChosenGroups | null> {
  const read = (range: ByteRange) => readObject(store, key, { range, ifMatch: etag }, signal);
  const footer = await readFooter(read, bytes).catch((error) => {
    if (error instanceof ChunkError) return null;
    throw error;
  });
  if (footer === null) return null;
  const [sinceUs = 0, untilUs = 0] = [erasure.since, erasure.until]
    .map((iso) => Date.parse(iso) * 1_000);
  // Rejected lines have no columns to compare, but the stream that they are of.
  const wanted = place.stream === REJECTS ? { stream: [erasure.stream] } : condition.values;
  const values = storedValues(footer, wanted);
  const groups = chooseRowGroups(footer, { sinceUs, untilUs, values });
  return { footer, groups: await withoutRefused(read, groups, values) };
}
