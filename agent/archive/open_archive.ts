/** The archive of a configuration, over a store. */
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import type { AgentConfig } from "../config.ts";
import type { StoreObserver } from "../store/observer.ts";
import type { Store } from "../store/store.ts";
import { Archive } from "./archive.ts";
import { ArchivedErasures } from "./archived_erasures.ts";
import type { ErasureTaker } from "./archived_erasures.ts";
import type { RegionCatalog } from "./catalog/open_catalog.ts";
import { UploadNotes } from "./catalog/upload_notes.ts";

/**
 * To be disposed of after its last upload; null without one.
 * @throws {LogvendError} bad_config
 */
export async function openArchive(
  { archive, data_dir: dataDir, host }: AgentConfig,
  store: Store,
  observer: StoreObserver | null,
  { tell, catalog }: {
    tell: ErasureTaker;
    catalog: Pick<RegionCatalog, "own" | "index"> | null;
  },
): Promise<Archive | null> {
  if (archive === undefined) return null;
  store.archiveBook.former.isKnown(); // until it is, an earlier data folder may have had anything
  const objects = await openObjectStore(archive);
  const learned = new ArchivedErasures(objects, tell);
  return new Archive({
    objects,
    notes: catalog === null ? undefined : new UploadNotes({ ...catalog, store: objects, dataDir }),
    learn: (signal) => learned.look(signal),
    exclusively: (work) => store.exclusively(work),
    book: store.archiveBook,
    verified: (chunk) => store.keeper.verifyNow(chunk),
    renew: (chunk) => store.keeper.renew(chunk),
    dataDir,
    host,
    everyMs: archive.every,
    observer,
  });
}
