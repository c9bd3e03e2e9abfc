/** The archive of a configuration, as queries see it. */
import { join } from "node:path";
import { openObjectStore } from "../../../protocol/archive/open_object_store.ts";
import type { AgentConfig } from "../../config.ts";
import { ChunkCache } from "../reads/chunk_cache.ts";
import { ArchivedChunks } from "./archived_chunks.ts";

/** A query waits: a store that says nothing for so long is asked again (reads/retried.ts). */
const STALL_MS = 5_000;

/** Null where none is configured. @throws {LogvendError} bad_config */
export async function openQueryArchive(config: AgentConfig): Promise<ArchivedChunks | null> {
  const { archive, host, region, labels, data_dir: dataDir } = config;
  if (archive === undefined) return null;
  const store = await openObjectStore(archive, { stallMs: STALL_MS });
  const folder = join(dataDir, "archive-cache"); // workers read no other folder
  const cache = await ChunkCache.open({ folder, quotaBytes: archive.cache });
  return new ArchivedChunks({ store, cache, self: { host, region, labels } });
}
