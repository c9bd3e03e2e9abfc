/** The archive of a configuration, over a store. */
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import type { AgentConfig } from "../config.ts";
import type { StoreObserver } from "../store/observer.ts";
import type { Store } from "../store/store.ts";
import { Archive } from "./archive.ts";

/**
 * To be disposed of after its last upload; null without one.
 * @throws {LogvendError} bad_config
 */
export async function openArchive(
  { archive, data_dir: dataDir, host }: AgentConfig,
  store: Store,
  observer: StoreObserver | null,
): Promise<Archive | null> {
  if (archive === undefined) return null;
  return new Archive({
    objects: await openObjectStore(archive),
    book: store.archiveBook,
    verified: (chunk) => store.keeper.verifyNow(chunk),
    dataDir,
    host,
    everyMs: archive.every,
    observer,
  });
}
