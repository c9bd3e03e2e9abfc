/** Manifests that were opened, by key and ETag: their ends in memory, what is read of them on the disk. */
import { ObjectStoreError, readObject } from "../../../protocol/archive/object_store.ts";
import type {
  ListedObject,
  ObjectStore,
  StoreProblem,
} from "../../../protocol/archive/object_store.ts";
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import { ChunkError } from "../../../queries/chunk/chunk_error.ts";
import type { ByteRange } from "../../../protocol/archive/ranges.ts";
import { retried } from "../reads/retried.ts";
import type { ChunkCache } from "../reads/chunk_cache.ts";
import { Manifest } from "../../../protocol/archive/catalog/manifest.ts";
import type { ManifestReader } from "../../../protocol/archive/catalog/manifest.ts";

/** Of ends held in memory: some 10 KB for a day. */
const WEIGHT_MAX = 24e6;

/** A manifest, and how more of it is read. */
export interface OpenManifest {
  manifest: Manifest;
  read: ManifestReader;
}

/** Why a manifest is of no use. */
export class UnreadableManifest extends Error {}

export class ManifestShelf {
  /** The least recently used first. */
  private readonly known = new Map<string, Manifest>();
  private weight = 0;

  constructor(private readonly store: ObjectStore, private readonly cache: ChunkCache) {}

  /** @throws {UnreadableManifest} for what is none, damaged or gone; {ObjectStoreError} */
  async open(object: ListedObject, signal: AbortSignal): Promise<OpenManifest> {
    const { key, etag, bytes } = object;
    const id = `${key}\n${etag}`;
    const fetch = (range: ByteRange) =>
      retried(() => readObject(this.store, key, { range, ifMatch: etag }, signal), { signal });
    const read: ManifestReader = (range) =>
      legible(object, () => this.cache.read({ key, etag, bytes, read: fetch }, range), signal);
    const manifest = this.known.get(id) ??
      await legible(object, () => Manifest.open(bytes, read), signal);
    this.keep(id, manifest);
    return { manifest, read };
  }

  /** As the most recently used. */
  private keep(id: string, manifest: Manifest) {
    this.drop(id);
    this.known.set(id, manifest);
    this.weight += manifest.weight;
    for (const oldest of this.known.keys()) {
      if (this.weight <= WEIGHT_MAX) break;
      this.drop(oldest);
    }
  }

  private drop(id: string) {
    this.weight -= this.known.get(id)?.weight ?? 0;
    this.known.delete(id);
  }
}

/** Of an object, not of its store. */
const OF_THE_OBJECT: readonly StoreProblem[] = ["missing", "changed", "truncated", "corrupt"];

/** Reads a part of a manifest. @throws {UnreadableManifest} {LogvendError} and the signal's reason */
export async function legible<T>(
  { key }: { key: string },
  read: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    signal.throwIfAborted();
    const isOfTheObject = error instanceof ObjectStoreError
      ? OF_THE_OBJECT.includes(error.problem)
      : error instanceof ChunkError || !(error instanceof LogvendError);
    if (error instanceof UnreadableManifest || !isOfTheObject) throw error;
    throw new UnreadableManifest(`${key} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
