/** Opens the object store of a configuration; the S3 client is loaded only where one is used. */
import { parseArchiveUrl } from "./archive_config.ts";
import type { AgentArchive, ArchiveStore } from "./archive_config.ts";
import { FolderStore } from "./folder_store.ts";
import type { ObjectStore } from "./object_store.ts";
import type { S3StoreOptions } from "./s3_store.ts";

/** To agents a folder that is not there is an empty archive, whose first upload makes it. */
const MISSING = "mount it, make it, or correct its url (archives: in orchestrator.yaml)";

/**
 * @param options what it is used for: errors say where that is set
 * @throws {LogvendError} bad_config, when it cannot be opened as configured
 */
export async function openObjectStore(
  archive: ArchiveStore & Partial<AgentArchive>,
  options: S3StoreOptions = {},
): Promise<ObjectStore> {
  const place = parseArchiveUrl(archive.url);
  if (place === null) throw new Error(`not an archive: ${archive.url}`); // the schema refuses it
  if (place.kind === "folder") {
    const missing = options.use === "operator" ? MISSING : undefined;
    return new FolderStore(place.path, archive.bandwidth, missing);
  }
  const { S3Store } = await import("./s3_store.ts");
  return await S3Store.open(place, archive, options);
}
