/** Every version of objects, in buckets that keep them: what is erased has to go from all. */
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { isNotImplemented } from "./s3_errors.ts";

/** Requests to one bucket. */
export interface VersionsOf {
  client: S3Client;
  bucket: string;
  signal: AbortSignal;
}

/** A version of an object, or the mark that it was deleted. */
interface Version {
  key: string;
  id: string;
  isLatest: boolean;
  isDeleted: boolean;
}

/**
 * Deletes an object with all its older versions and marks, and the parts of uploads that did not end.
 * The oldest goes first: none of them shows again on the way.
 */
export async function purgeObject(of: VersionsOf, key: string): Promise<void> {
  const { client, bucket: Bucket, signal: abortSignal } = of;
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket, Prefix: key }),
    { abortSignal },
  );
  for (const { Key, UploadId } of Uploads) {
    if (Key !== key) continue;
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal });
  }
  const versions = (await Array.fromAsync(versionsOf(of, key))).filter((one) => one.key === key);
  for (const { id } of versions.toReversed()) {
    const command = new DeleteObjectCommand({ Bucket, Key: key, VersionId: id });
    await client.send(command, { abortSignal });
  }
  if (versions.length > 0) return;
  await client.send(new DeleteObjectCommand({ Bucket, Key: key }), { abortSignal });
}

/** Keys of which only older versions are left. */
export async function* hiddenObjects(of: VersionsOf, prefix: string): AsyncGenerator<string> {
  let last = { key: "", isShown: true, hasContent: false };
  for await (const { key, isLatest, isDeleted } of versionsOf(of, prefix)) {
    if (last.key !== key) {
      if (isHidden(last)) yield last.key;
      last = { key, isShown: false, hasContent: false };
    }
    if (isLatest && !isDeleted) last.isShown = true;
    if (!isDeleted) last.hasContent = true;
  }
  if (isHidden(last)) yield last.key;
}

function isHidden({ isShown, hasContent }: { isShown: boolean; hasContent: boolean }): boolean {
  return !isShown && hasContent;
}

/** By key, the newest of each first. A store that knows none has none. */
async function* versionsOf(
  { client, bucket: Bucket, signal: abortSignal }: VersionsOf,
  Prefix: string,
): AsyncGenerator<Version> {
  let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {};
  while (next !== null) {
    const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({
      Bucket,
      Prefix,
      ...next,
    });
    const page = await client.send(command, { abortSignal }).catch((error) => {
      if (isNotImplemented(error)) return null;
      throw error;
    });
    if (page === null) return;
    const found = [
      ...(page.Versions ?? []).map((one) => ({ ...one, isDeleted: false })),
      ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, isDeleted: true })),
    ].map(({ Key = "", VersionId = "null", IsLatest = false, LastModified, isDeleted }) => ({
      ...{ key: Key, id: VersionId, isLatest: IsLatest, isDeleted },
      ms: LastModified?.getTime() ?? 0,
    }));
    yield* found.sort((a, b) =>
      a.key < b.key
        ? -1
        : a.key > b.key
        ? 1
        : Number(b.isLatest) - Number(a.isLatest) || b.ms - a.ms
    );
    next = page.IsTruncated === true
      ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
      : null;
  }
}
