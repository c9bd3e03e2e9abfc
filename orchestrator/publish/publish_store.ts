/** Where results go: the object store of a URL, reached as the operator's configuration says. */
import { z } from "zod";
import {
  AgentArchive,
  ArchiveStore,
  checkKey,
  parseArchiveUrl,
} from "../../protocol/archive/archive_config.ts";
import type { ArchivePlace } from "../../protocol/archive/archive_config.ts";
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { LogvendError } from "../../protocol/errors.ts";

const { sse, kms_key, storage_class, bandwidth } = AgentArchive.shape;

/** A store that results may be published to, and how they are kept there. */
export const PublishStore = z.strictObject({
  ...ArchiveStore.shape,
  sse,
  kms_key,
  storage_class,
  bandwidth,
}).superRefine(checkKey);
export type PublishStore = z.infer<typeof PublishStore>;

/** What an operator has configured. */
export interface KnownStores {
  publish: readonly PublishStore[];
  archives: readonly ArchiveStore[];
}

/**
 * The store of a URL that results are to be published to.
 * @throws {LogvendError} usage, for what is no place for a result; bad_config
 */
export async function openPublishStore(url: string, known: KnownStores): Promise<ObjectStore> {
  const place = parseArchiveUrl(url);
  if (place === null) {
    throw new LogvendError("usage", `--publish ${url}: wanted s3://BUCKET/PREFIX/ or file:FOLDER`);
  }
  const path = place.kind === "s3" ? place.prefix : place.path.replace(/\/+$/, "");
  if (path === "") {
    throw new LogvendError("usage", `--publish ${url}: a result needs a prefix of its own`);
  }
  if (path.split("/").some((part) => part.startsWith("stream="))) {
    throw new LogvendError("usage", `--publish ${url}: an archive's chunks lie below stream=`);
  }
  const whole = place.kind === "s3" ? `s3://${place.bucket}/${path}` : `file:${path}`;
  const store = configured(place, known) ?? ArchiveStore.parse({ url: whole });
  return await openObjectStore({ ...store, url: whole }, { use: "publish" });
}

/** As the same bucket is reached that is configured; null: as the AWS tools would. */
function configured(
  place: ArchivePlace,
  { publish, archives }: KnownStores,
): PublishStore | ArchiveStore | null {
  const isIt = ({ url }: ArchiveStore) => {
    const other = parseArchiveUrl(url);
    return place.kind === "s3" && other?.kind === "s3" && other.bucket === place.bucket;
  };
  return publish.find(isIt) ?? archives.find(isIt) ?? null;
}
