/** Requests to AWS, signed with the credentials that a host has: environment, files, instance, container. */
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { credentialsOf } from "../../../protocol/archive/credentials.ts";
import type { Keys } from "../../../protocol/archive/credentials.ts";

/** What is signed, for which service. */
export interface AwsService {
  region: string;
  /** `es`, `aoss` or `kinesis`. */
  service: string;
}

/** A POST with a body. */
export interface AwsRequest {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Gives the headers of a request, those of its signature among them. */
export type SignRequest = (request: AwsRequest) => Promise<Record<string, string>>;

/** Rotated credentials are found this soon. */
const KEYS_KEPT_MS = 60_000;

/** Credentials are looked up at the first request, and again every minute that there is one. */
export function awsSigner({ region, service }: AwsService): SignRequest {
  const lookUp = credentialsOf(undefined);
  let known: { keys: Keys; untilMs: number } | null = null;
  const credentials = async () => {
    if (known !== null && performance.now() < known.untilMs) return known.keys;
    known = { keys: await lookUp(), untilMs: performance.now() + KEYS_KEPT_MS };
    return known.keys;
  };
  const signer = new SignatureV4({ region, service, credentials, sha256: Sha256 });
  return async ({ url, headers, body }) => {
    const signed = await signer.sign({
      method: "POST",
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      headers: { ...headers, host: url.host },
      body,
    });
    const { host: _, ...sent } = signed.headers; // fetch sets it itself
    return sent;
  };
}

/** As the signer wants it: a digest, or an HMAC with a key. */
class Sha256 {
  private readonly hash;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = key === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(key));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.hash.digest()));
  }

  reset(): void {
    throw new Error("Each is used once");
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
