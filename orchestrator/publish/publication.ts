/**
 * A result on its way into an object store: its files first, its manifest last. Until the manifest
 * is there nothing is published; a place that holds a result, or the beginning of one, is refused.
 */
import { z } from "zod";
import { ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import type { NewObject, ObjectStore, StoreProblem } from "../../protocol/archive/object_store.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { MANIFEST_KEY, manifestOf, ResultManifest } from "./manifest.ts";
import type { PublishedFile, ResultFacts } from "./manifest.ts";

/** Says that a publication is under way, or was when its writer was killed. */
export const CLAIM_KEY = "_publishing.json";

const Claim = z.object({ id: z.string(), began_at: z.string() });

const FILE_KEY = /^[0-9a-f]{8}-\d{5}\.parquet$/;

/** A place with more than that is no result of ours. */
const OBJECTS_MAX = 100_000;

/** What may heal while one waits, and how long that is done. */
const PASSING: readonly StoreProblem[] = ["busy", "unreachable"];
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** What a publication that failed may take to be thrown away. */
const CLEAN_UP_MS = 5_000;

export interface PublicationOptions {
  /** Its URL is the place of the result. */
  store: ObjectStore;
  /** Take the place of a result that is there. */
  replace: boolean;
  now: () => number;
  signal: AbortSignal;
  /** @param ms at most @throws when the signal aborts */
  wait: (ms: number) => Promise<void>;
}

/** What was there before. */
interface Before {
  files: readonly string[];
  /** Of the manifest; null: there was none. It has to be there still when the new one comes. */
  manifestEtag: string | null;
}

type PutCondition = Pick<NewObject, "ifNoneMatch" | "ifMatch">;

/** A Parquet file to be published. */
export interface NewFile {
  path: string;
  rows: number;
  bytes: number;
  sha256: string;
}

export class Publication implements AsyncDisposable {
  private readonly id = crypto.randomUUID();
  private readonly files: PublishedFile[] = [];
  private isPublished = false;
  /** Its manifest may be there, or come yet: no reply says so. */
  private isUncertain = false;

  private constructor(
    private readonly options: PublicationOptions,
    private readonly before: Before,
  ) {}

  /**
   * Claims the place: whether it can be written to is known before anything is asked.
   * @throws {LogvendError} usage, where something is already; of the store
   */
  static async begin(options: PublicationOptions): Promise<Publication> {
    const { store, replace, now } = options;
    const before = await lookAround(options);
    const publication = new Publication(options, before);
    const claim = { id: publication.id, began_at: new Date(now()).toISOString() };
    const condition = { ifNoneMatch: !replace };
    if (!await publication.put(CLAIM_KEY, claim, condition)) throw underWay(store, "just now");
    return publication;
  }

  /** Uploads one file, after those before it. @throws {LogvendError} of the store */
  async add({ path, rows, bytes, sha256 }: NewFile): Promise<void> {
    const { store, signal } = this.options;
    const number = String(this.files.length).padStart(5, "0");
    const key = `${this.id.slice(0, 8)}-${number}.parquet`;
    this.files.push({ key, rows, bytes, sha256 }); // thrown away too when the reply is lost
    const object = { key, body: { path }, sha256, ifNoneMatch: true };
    if (await this.patiently(object) === "stored") return;
    const found = await store.head(key, signal); // an attempt before may have done it
    if (found?.bytes === bytes && (found.sha256 ?? sha256) === sha256) return;
    throw new LogvendError("unavailable", `${store.url}/${key} is there already, and is another`);
  }

  /**
   * Puts the manifest, unless another came since this one began, and removes what was there before:
   * so no manifest names files that another publication removes.
   * @returns the manifest, and what could not be removed
   * @throws {LogvendError} unavailable, when another publication has taken the place; of the store
   */
  async finish(facts: ResultFacts): Promise<{ manifest: ResultManifest; left: string[] }> {
    const { store, replace, now, signal } = this.options;
    if (!await this.isClaimed(signal)) {
      throw new LogvendError("unavailable", `Another publication has begun in ${store.url}`);
    }
    const manifest = manifestOf(facts, this.files, now());
    if (!await this.putManifest(manifest)) {
      throw replace ? await overtaken(store, signal) : await taken(store, signal);
    }
    this.isPublished = true;
    const left = await this.remove([...this.before.files, CLAIM_KEY], signal);
    return { manifest, left };
  }

  /** Throws away what was not published; files that a manifest may name stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isPublished || this.isUncertain) return;
    const signal = AbortSignal.timeout(CLEAN_UP_MS);
    await this.remove(this.files.map(({ key }) => key), signal);
    if (await this.isClaimed(signal).catch(() => false)) await this.remove([CLAIM_KEY], signal);
  }

  /** False: another's is there. */
  private async putManifest(manifest: ResultManifest): Promise<boolean> {
    const { store } = this.options;
    const { manifestEtag } = this.before;
    const condition = manifestEtag === null ? { ifNoneMatch: true } : { ifMatch: manifestEtag };
    try {
      return await this.put(MANIFEST_KEY, manifest, condition);
    } catch (error) {
      const isRefused = error instanceof ObjectStoreError && !PASSING.includes(error.problem);
      if (isRefused) throw error;
      this.isUncertain = true;
      if (!(error instanceof ObjectStoreError)) throw error; // it was stopped
      const text = `${error.message}. Whether ${MANIFEST_KEY} came to ${store.url} is not known: ` +
        "its files stay; look there, or publish once more with --replace";
      throw new LogvendError("unavailable", text, { cause: error });
    }
  }

  /** Whether the place is this publication's still. */
  private async isClaimed(signal: AbortSignal): Promise<boolean> {
    const claim = Claim.safeParse(await readJson(this.options.store, CLAIM_KEY, signal));
    return claim.data?.id === this.id;
  }

  /** Returns the keys that are still there. */
  private async remove(keys: readonly string[], signal: AbortSignal): Promise<string[]> {
    const left: string[] = [];
    for (const key of keys) {
      await this.options.store.remove(key, signal).catch(() => left.push(key));
    }
    return left;
  }

  /** False: something else is there. */
  private async put(key: string, content: unknown, condition: PutCondition): Promise<boolean> {
    const { store, signal } = this.options;
    const text = `${JSON.stringify(content, null, 2)}\n`;
    const body = new TextEncoder().encode(text);
    const outcome = await this.patiently({ key, body, sha256: sha256Hex(body), ...condition });
    if (outcome === "stored") return true;
    return await readText(store, key, signal) === text; // the reply to an attempt may be lost
  }

  private async patiently(object: NewObject): Promise<"stored" | "exists"> {
    const { store, signal, wait } = this.options;
    for (const waitMs of WAITS_MS) {
      try {
        return await store.put(object, signal);
      } catch (error) {
        if (!(error instanceof ObjectStoreError) || !PASSING.includes(error.problem)) throw error;
        await wait(waitMs / 2 + Math.random() * waitMs / 2);
      }
    }
    return await store.put(object, signal);
  }
}

/** What an earlier result has left. @throws {LogvendError} usage, of a place that is taken */
async function lookAround(
  { store, replace, signal }: PublicationOptions,
): Promise<Before> {
  const keys: string[] = [];
  let manifestEtag: string | null = null;
  for await (const { key, etag } of store.list("", signal)) {
    if (key === MANIFEST_KEY) manifestEtag = etag;
    const isOurs = FILE_KEY.test(key) || key === MANIFEST_KEY || key === CLAIM_KEY;
    if (!isOurs || keys.length >= OBJECTS_MAX) {
      const text = `${store.url} holds other things (${key}): publish to a prefix of its own`;
      throw new LogvendError("usage", text);
    }
    keys.push(key);
  }
  const files = keys.filter((key) => FILE_KEY.test(key));
  if (replace || keys.length === 0) return { files, manifestEtag };
  if (keys.includes(MANIFEST_KEY)) throw await taken(store, signal);
  const claim = Claim.safeParse(await readJson(store, CLAIM_KEY, signal));
  throw underWay(store, claim.data?.began_at ?? "at some time");
}

/** Of a result that is there, in words. */
async function published(store: ObjectStore, signal: AbortSignal): Promise<string> {
  const found = ResultManifest.safeParse(await readJson(store, MANIFEST_KEY, signal));
  return found.success
    ? `${found.data.query_id} was published there at ${found.data.published_at}`
    : "it has another manifest";
}

async function overtaken(store: ObjectStore, signal: AbortSignal): Promise<LogvendError> {
  const what = await published(store, signal);
  const text = `Another publication was faster: ${what}: publish once more to replace it`;
  return new LogvendError("unavailable", text);
}

async function taken(store: ObjectStore, signal: AbortSignal): Promise<LogvendError> {
  const what = await published(store, signal);
  return new LogvendError(
    "usage",
    `${store.url} is taken: ${what}. Choose another prefix, or --replace it`,
  );
}

function underWay(store: ObjectStore, when: string): LogvendError {
  return new LogvendError(
    "usage",
    `A publication to ${store.url} began ${when} and has not ended: wait for it, ` +
      "or take its place with --replace",
  );
}

/** Null: it is not there, or no JSON. */
async function readJson(store: ObjectStore, key: string, signal: AbortSignal): Promise<unknown> {
  const text = await readText(store, key, signal);
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

async function readText(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    return new TextDecoder().decode(await readObject(store, key, {}, signal));
  } catch (error) {
    if (error instanceof ObjectStoreError && error.problem === "missing") return null;
    throw error;
  }
}
