/** Large objects, sent in parts: the store makes the object of them at the end, or not at all. */
import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { CompletedPart, CreateMultipartUploadCommandInput } from "@aws-sdk/client-s3";
import type { NewObject } from "./object_store.ts";
import { partsOf, sizeOf } from "./body_parts.ts";
import { signedBody } from "./signed_body.ts";
import type { Sender } from "./signed_body.ts";

/** Two of them are in memory at a time; S3 takes parts from 5 MiB. */
export const PART_BYTES = 8_388_608;

/** S3's is 10,000. */
const PARTS_MAX = 9_000;

/** How long the parts of an upload that failed may take to be thrown away. */
const ABORT_MS = 5_000;

/** A large object and where it goes. */
export interface PartsRequest {
  /** Bucket, key and what is kept with the object. */
  kept: CreateMultipartUploadCommandInput;
  condition: { IfNoneMatch?: string; IfMatch?: string };
  body: NewObject["body"];
  sha256: string;
  partBytes: number;
  /** What is thrown when the body is not that of `sha256`. */
  corrupt: (found: string) => Error;
}

/** Sends all parts. What an earlier attempt left behind is thrown away first, and on failure all. */
export async function uploadParts(sender: Sender, request: PartsRequest): Promise<void> {
  const { client, hasChecksums, signal: abortSignal } = sender;
  const { kept } = request;
  await abortAbandoned(sender, kept);
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({
      ...kept,
      ...(hasChecksums ? { ChecksumAlgorithm: "SHA256" } : {}),
    }),
    { abortSignal },
  );
  const upload = { Bucket: kept.Bucket, Key: kept.Key, UploadId };
  try {
    const Parts = await sendParts(sender, request, upload);
    await client.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        ...request.condition,
        MultipartUpload: { Parts },
      }),
      { abortSignal },
    );
  } catch (error) {
    const soon = AbortSignal.timeout(ABORT_MS);
    await client.send(new AbortMultipartUploadCommand(upload), { abortSignal: soon })
      .catch(() => {}); // the next attempt does it, else the bucket's lifecycle
    throw error;
  }
}

interface Upload {
  Bucket: string | undefined;
  Key: string | undefined;
  UploadId: string | undefined;
}

async function sendParts(
  sender: Sender,
  { body, sha256, partBytes, corrupt }: PartsRequest,
  upload: Upload,
): Promise<CompletedPart[]> {
  const whole = createHash("sha256");
  const parts: CompletedPart[] = [];
  const size = Math.max(partBytes, Math.ceil(await sizeOf(body) / PARTS_MAX));
  for await (const bytes of partsOf(body, size)) {
    whole.update(bytes);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const PartNumber = parts.length + 1;
    const signed = signedBody(sender, bytes, digest);
    const sent = await sender.client.send(
      new UploadPartCommand({ ...upload, PartNumber, ...signed }),
      { abortSignal: sender.signal },
    );
    const { ChecksumSHA256 } = signed as { ChecksumSHA256?: string };
    parts.push({
      PartNumber,
      ETag: sent.ETag,
      ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }),
    });
  }
  const found = whole.digest("hex");
  if (found !== sha256) throw corrupt(found);
  return parts;
}

/** Nobody else uploads this key: what is open of it was left by an attempt that was killed. */
async function abortAbandoned({ client, signal: abortSignal }: Sender, { Bucket, Key }: {
  Bucket: string | undefined;
  Key: string | undefined;
}) {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket, Prefix: Key }),
    { abortSignal },
  );
  for (const { Key: found, UploadId } of Uploads) {
    if (found !== Key) continue;
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal });
  }
}
