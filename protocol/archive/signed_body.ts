/** A request's body with its length and checksum said before: so the store refuses altered bytes. */
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";

/** How bodies are sent. */
export interface Sender {
  client: S3Client;
  /** Whether the store knows x-amz-checksum-sha256. */
  hasChecksums: boolean;
  /** What carries bytes in a request. */
  carry: (bytes: Uint8Array) => Buffer | Readable;
  /** Aborts what was begun. */
  signal: AbortSignal;
}

/** Of bodies that are on their way. */
const SHA256_OF = new WeakMap<object, string>();

/** Lets signatures cover bodies: the SDK leaves streams out, for it cannot read them twice. */
export function signBodies(client: S3Client) {
  client.middlewareStack.add((next) => (args) => {
    const { Body = {} } = args.input as { Body?: object }; // of what has one
    const sha256 = SHA256_OF.get(Body);
    const { headers } = args.request as { headers: Record<string, string> }; // of HTTP
    if (sha256 !== undefined) headers["x-amz-content-sha256"] = sha256;
    return next(args);
  }, { step: "build", name: "signBodies" });
}

/**
 * The part of a request that holds the body.
 * @param sha256 of the bytes, lower-case hex
 */
export function signedBody(
  { hasChecksums, carry }: Pick<Sender, "hasChecksums" | "carry">,
  bytes: Uint8Array,
  sha256: string,
) {
  const Body = carry(bytes);
  SHA256_OF.set(Body, sha256);
  return {
    Body,
    ContentLength: bytes.length,
    ...(hasChecksums ? { ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64") } : {}),
  };
}
