/** An archive in any store with an S3 API: Amazon's, Ceph's, and others. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { _Object, ListObjectsV2CommandOutput, S3Client } from "@aws-sdk/client-s3";
import type { AgentArchive, ArchivePlace, ArchiveStore } from "./archive_config.ts";
import { openClient } from "./s3_client.ts";
import { Bandwidth } from "./bandwidth.ts";
import { Conditions, isUnmet } from "./s3_conditions.ts";
import { CATALOG } from "./catalog/catalog_keys.ts";
import { ObjectStoreError } from "./object_store.ts";
import type {
  GetOptions,
  ListedObject,
  NewObject,
  ObjectContent,
  ObjectFacts,
  ObjectStore,
} from "./object_store.ts";
import { patience } from "./patience.ts";
import type { Patience } from "./patience.ts";
import { isNotImplemented, isUnexplained, s3Error } from "./s3_errors.ts";
import type { StoreUse } from "./s3_errors.ts";
import { PART_BYTES, uploadParts } from "./s3_parts.ts";
import { hiddenObjects, purgeObject } from "./s3_versions.ts";
import { partsOf, sizeOf } from "./body_parts.ts";
import { signedBody } from "./signed_body.ts";

/** How long nothing may move; the smallest bandwidth sends a block in a quarter of it. */
const STALL_MS = 30_000;

/** A line that takes longer for what is sent at once counts as one on which nothing moves. */
const SLOWEST_BYTES_PER_S = 20_000;

/** Of one request by the SDK: what takes longer to heal is for the caller to try again. */
const ATTEMPTS_MAX = 3;

const DEFAULTS: Required<S3StoreOptions> = {
  use: "archive",
  stallMs: STALL_MS,
  attemptsMax: ATTEMPTS_MAX,
  partBytes: PART_BYTES,
  slowestBytesPerS: SLOWEST_BYTES_PER_S,
};

type S3Place = Extract<ArchivePlace, { kind: "s3" }>;

/** What it is for, and what speed and patience tests change. */
export interface S3StoreOptions {
  /** Errors say where that is set. @default archive */
  use?: StoreUse;
  /** @default 30 s */
  stallMs?: number;
  /** @default 3 */
  attemptsMax?: number;
  /** Larger objects are sent in parts of this size. @default 8 MiB */
  partBytes?: number;
  /** @default 20 KB */
  slowestBytesPerS?: number;
}

/** Objects of one bucket, below a prefix. */
export class S3Store implements ObjectStore {
  readonly url: string;
  private readonly bandwidth: Bandwidth;
  private readonly conditions = new Conditions();

  private constructor(
    private readonly client: S3Client,
    private readonly place: S3Place,
    private readonly archive: ArchiveStore & Partial<AgentArchive>,
    private readonly options: Required<S3StoreOptions>,
  ) {
    this.url = archive.url;
    this.bandwidth = new Bandwidth(archive.bandwidth);
  }

  /** @throws {LogvendError} bad_config */
  static async open(
    place: S3Place,
    archive: ArchiveStore & Partial<AgentArchive>,
    options: S3StoreOptions = {},
  ): Promise<S3Store> {
    const all = { ...DEFAULTS, ...options };
    const client = await openClient(archive, all);
    return new S3Store(client, place, archive, all);
  }

  async put(object: NewObject, signal: AbortSignal): Promise<"stored" | "exists"> {
    return await this.attempt(`store ${object.key}`, signal, async (patient) => {
      try {
        return await this.putOnce(object, patient);
      } catch (error) {
        if (!isNotImplemented(error) || !this.conditions.giveUp(object)) throw error;
        return await this.putOnce(object, patient);
      }
    });
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectFacts | null> {
    return await this.attempt(`look at ${key}`, signal, async ({ signal: abortSignal }) => {
      try {
        const command = new HeadObjectCommand(this.at(key));
        const found = await this.client.send(command, { abortSignal });
        const metadata = found.Metadata ?? {};
        return {
          bytes: found.ContentLength ?? 0,
          etag: found.ETag ?? "",
          sha256: metadata.sha256 ?? null,
          metadata,
        };
      } catch (error) {
        const mapped = s3Error("look", error, this.target);
        if (mapped instanceof ObjectStoreError && mapped.problem === "missing") return null;
        if (isUnexplained(error) && !await this.isListed(key, abortSignal)) return null;
        throw error;
      }
    });
  }

  async get(
    key: string,
    { range, ifMatch }: GetOptions,
    signal: AbortSignal,
  ): Promise<ObjectContent> {
    if (range !== undefined && range.end <= range.start) throw new Error(`an empty range: ${key}`);
    return await this.attempt(`read ${key}`, signal, async ({ signal: abortSignal }) => {
      const command = new GetObjectCommand({
        ...this.at(key),
        ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
        ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
      });
      const found = await this.client.send(command, { abortSignal });
      const length = found.ContentLength ?? 0;
      const body = found.Body?.transformToWebStream() ?? ReadableStream.from<Uint8Array>([]);
      return {
        bytes: Number(/\/(\d+)$/.exec(found.ContentRange ?? "")?.[1] ?? length),
        etag: found.ETag ?? "",
        body: this.read(body, { key, length }, signal),
      };
    });
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    const base = this.at("").Key;
    for await (const { Contents = [] } of this.pages(prefix, {}, signal)) {
      for (const object of Contents) yield listed(object, base);
    }
  }

  async folders(prefix: string, signal: AbortSignal): Promise<string[]> {
    const found: string[] = [];
    for await (const { CommonPrefixes = [] } of this.pages(prefix, { Delimiter: "/" }, signal)) {
      found.push(
        ...CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice(this.at(prefix).Key.length)),
      );
    }
    return found;
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await this.attempt(`remove ${key}`, signal, async ({ signal: abortSignal }) => {
      await this.client.send(new DeleteObjectCommand(this.at(key)), { abortSignal });
    });
  }

  async purge(key: string, signal: AbortSignal): Promise<void> {
    await this.attempt(`remove every version of ${key}`, signal, async (patient) => {
      await purgeObject(this.versions(patient.signal), this.at(key).Key);
    });
  }

  async *hidden(prefix: string, signal: AbortSignal): AsyncGenerator<string> {
    const { Key } = this.at(prefix);
    try {
      for await (const key of hiddenObjects(this.versions(signal), Key)) {
        yield key.slice(Key.length - prefix.length);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw s3Error(`list versions of ${prefix}`, error, this.target);
    }
  }

  async [Symbol.asyncDispose]() {
    await Promise.resolve(this.client.destroy());
  }

  private async *pages(
    prefix: string,
    more: { Delimiter?: string },
    signal: AbortSignal,
  ): AsyncGenerator<ListObjectsV2CommandOutput> {
    const { Bucket, Key: Prefix } = this.at(prefix);
    const what = prefix === "" ? "list objects" : `list ${prefix}`;
    let token: string | undefined;
    do {
      const page = await this.attempt(what, signal, async ({ signal: abortSignal }) => {
        const continued = token === undefined ? {} : { ContinuationToken: token };
        const command = new ListObjectsV2Command({ Bucket, Prefix, ...more, ...continued });
        return await this.client.send(command, { abortSignal });
      });
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  private async putOnce(
    object: NewObject,
    patient: Patience,
  ): Promise<"stored" | "exists"> {
    const { key, body, sha256, metadata = {} } = object;
    const { sse, kms_key } = this.archive;
    // The catalog is small, and read all the time.
    const storage_class = key.startsWith(CATALOG) ? undefined : this.archive.storage_class;
    const { partBytes } = this.options;
    const kept = {
      ...this.at(key),
      Metadata: { ...metadata, sha256 },
      ...(storage_class === undefined ? {} : { StorageClass: storage_class as "STANDARD" }), // any text
      ...(sse === undefined || sse === "none" ? {} : { ServerSideEncryption: sse }),
      ...(kms_key === undefined ? {} : { SSEKMSKeyId: kms_key }),
    };
    const condition = this.conditions.of(object);
    const isLarge = await sizeOf(body) > partBytes;
    const sender = {
      client: this.client,
      hasChecksums: this.archive.checksums === "full",
      carry: (bytes: Uint8Array) => this.carry(bytes, patient),
      signal: patient.signal,
    };
    const corrupt = (found: string) =>
      new ObjectStoreError(
        "corrupt",
        `Cannot store ${key} in ${this.url}: its bytes have SHA-256 ${found}, not ${sha256}`,
        "corrupt",
      );
    try {
      if (isLarge) {
        await uploadParts(sender, { kept, condition, body, sha256, partBytes, corrupt });
        return "stored";
      }
      for await (const bytes of partsOf(body, partBytes)) {
        const found = createHash("sha256").update(bytes).digest("hex");
        if (found !== sha256) throw corrupt(found);
        const command = new PutObjectCommand({
          ...kept,
          ...condition,
          ...signedBody(sender, bytes, sha256),
        });
        await this.client.send(command, { abortSignal: patient.signal });
      }
      return "stored";
    } catch (error) {
      if (isUnmet(condition, error)) return "exists";
      throw error;
    }
  }

  /**
   * HEAD says no reason, and to who may list only some prefixes 403 for what is not there.
   * @throws what a request with a reason is refused with
   */
  private async isListed(key: string, abortSignal: AbortSignal): Promise<boolean> {
    const { Bucket, Key } = this.at(key);
    const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 });
    const { Contents = [] } = await this.client.send(command, { abortSignal });
    return Contents.some((found) => found.Key === Key);
  }

  /** At once where that is allowed, else paced: then it shows that the call gets on. */
  private carry(bytes: Uint8Array, patient: Patience): Buffer | Readable {
    if (this.archive.bandwidth === undefined) {
      patient.touch(bytes.length * 1_000 / this.options.slowestBytesPerS);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const pace = this.bandwidth.pace(bytes, patient.signal);
    return Readable.from((async function* () {
      for await (const block of pace) {
        patient.touch();
        yield Buffer.from(block.buffer, block.byteOffset, block.length);
      }
    })());
  }

  private async *read(
    body: ReadableStream<Uint8Array>,
    { key, length }: { key: string; length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    using patient = patience(signal, this.options.stallMs);
    const reader = body.getReader();
    const stop = () => reader.cancel(patient.signal.reason).catch(() => {});
    patient.signal.addEventListener("abort", stop, { once: true });
    let left = length;
    try {
      while (left > 0) {
        const { value, done } = await reader.read();
        patient.throwIfAborted();
        if (done) break;
        patient.touch();
        left -= value.length;
        yield value;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw s3Error(`read ${key}`, error, this.target);
    } finally {
      patient.signal.removeEventListener("abort", stop);
      await reader.cancel().catch(() => {});
    }
    if (left === 0) return;
    const text = `Cannot read ${key} in ${this.url}: the reply ended ${left} bytes early`;
    throw new ObjectStoreError("truncated", text, "ended early");
  }

  private async attempt<T>(
    what: string,
    signal: AbortSignal,
    call: (patient: Patience) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    using patient = patience(signal, this.options.stallMs);
    try {
      return await call(patient);
    } catch (error) {
      signal.throwIfAborted();
      throw s3Error(what, patient.signal.aborted ? patient.signal.reason : error, this.target);
    }
  }

  private at(key: string) {
    const { bucket, prefix } = this.place;
    return { Bucket: bucket, Key: prefix === "" ? key : `${prefix}/${key}` };
  }

  private versions(signal: AbortSignal) {
    return { client: this.client, bucket: this.place.bucket, signal };
  }

  private get target() {
    const { region, endpoint } = this.archive;
    const { use } = this.options;
    return { url: this.url, bucket: this.place.bucket, region, endpoint, use };
  }
}

function listed({ Key, Size, ETag, LastModified }: _Object, base: string): ListedObject {
  return {
    key: (Key ?? "").slice(base.length),
    bytes: Size ?? 0,
    etag: ETag ?? "",
    modifiedMs: LastModified?.getTime() ?? 0,
  };
}
