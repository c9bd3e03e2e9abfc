/** What the archive asks of an object store: few calls, and one error for all that they meet. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { LogvendError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";

/** Objects by key, below the store's URL. Every call ends with `signal`'s reason once it is aborted. */
export interface ObjectStore extends AsyncDisposable {
  /** `s3://bucket/prefix` or `file:/srv/archive`, for people. */
  readonly url: string;
  /**
   * Stores a whole object or none; it is durable when this resolves. What was sent is checked
   * against `sha256` on the way. `exists`: a condition does not hold, and nothing was stored. A store
   * that knows no conditions puts without.
   * @throws {ObjectStoreError} of a body that is not what `sha256` says: corrupt
   */
  put(object: NewObject, signal: AbortSignal): Promise<"stored" | "exists">;
  /** Null: there is none. @throws {ObjectStoreError} */
  head(key: string, signal: AbortSignal): Promise<ObjectFacts | null>;
  /** @throws {ObjectStoreError} of no such object: missing; of one with another etag: changed */
  get(key: string, options: GetOptions, signal: AbortSignal): Promise<ObjectContent>;
  /** Everything whose key begins with `prefix`, ordered by key. @throws {ObjectStoreError} */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>;
  /**
   * What keys that begin with `prefix` go on with up to the next slash, each once, with the slash.
   * @param prefix empty, or ends with a slash
   * @throws {ObjectStoreError}
   */
  folders(prefix: string, signal: AbortSignal): Promise<string[]>;
  /** Removes an object; none is fine. @throws {ObjectStoreError} */
  remove(key: string, signal: AbortSignal): Promise<void>;
  /**
   * Removes an object with every older version of it, and what was begun to be stored under its key;
   * none is fine. @throws {ObjectStoreError}
   */
  purge(key: string, signal: AbortSignal): Promise<void>;
  /** Keys of objects that were removed or replaced by nothing, and of which older versions are left. */
  hidden(prefix: string, signal: AbortSignal): AsyncIterable<string>;
}

/** What is stored. */
export interface NewObject {
  key: string;
  body: Uint8Array | { path: string };
  /** Of the body, lower-case hex; kept with the object. */
  sha256: string;
  /** Refuse to replace an object. @default false */
  ifNoneMatch?: boolean;
  /** Replace no other version than the one with this etag. @default whatever is there */
  ifMatch?: string | undefined;
  /** Further facts that are kept with it. Folders keep none. */
  metadata?: Readonly<Record<string, string>>;
}

/** An object without its content. */
export interface ObjectFacts {
  bytes: number;
  /** Changes with the content. */
  etag: string;
  /** As kept by who stored it; null: by nobody, and always for folders. */
  sha256: string | null;
  metadata: Readonly<Record<string, string>>;
}

/** What is read of an object. */
export interface GetOptions {
  /** Bytes from `start` to before `end`. @default all */
  range?: { start: number; end: number };
  /** What the object's etag has to be still. */
  ifMatch?: string;
}

/** What get() gives; a body that ends early throws {ObjectStoreError} truncated. */
export interface ObjectContent {
  /** Of the whole object. */
  bytes: number;
  etag: string;
  body: AsyncIterable<Uint8Array>;
}

/** What a listing says of an object. */
export interface ListedObject {
  key: string;
  bytes: number;
  etag: string;
  modifiedMs: number;
}

/** Why a store did not do what it was asked for. */
export type StoreProblem =
  | "missing" // no such object
  | "changed" // the object has another etag than asked for
  | "corrupt" // the bytes are not those of the checksum
  | "truncated" // the reply ended early
  | "no_bucket"
  | "wrong_region"
  | "credentials" // unknown, wrong or expired
  | "denied" // known, and not allowed to
  | "clock" // this machine's is too far off
  | "full" // the disk of a folder
  | "busy" // 429, 5xx
  | "unreachable" // no answer
  | "refused"; // anything else

/** What may be wrong with one object alone: an operator's work over many goes on with the others. */
export const OF_ONE_OBJECT: readonly StoreProblem[] = [
  "missing",
  "changed",
  "corrupt",
  "truncated",
  "refused", // of a class that must be thawed first, or on a bad sector
];

const CODES: Readonly<Record<StoreProblem, ErrorCode>> = {
  missing: "unavailable",
  changed: "unavailable",
  corrupt: "unavailable",
  truncated: "unavailable",
  no_bucket: "bad_config",
  wrong_region: "bad_config",
  credentials: "not_permitted",
  denied: "not_permitted",
  clock: "not_permitted",
  full: "unavailable",
  busy: "unavailable",
  unreachable: "unavailable",
  refused: "unavailable",
};

/** A call of a store that failed: `message` says what to do, `short` fits into a table (`S3 403`). */
export class ObjectStoreError extends LogvendError {
  constructor(
    readonly problem: StoreProblem,
    message: string,
    readonly short: string,
    options: ErrorOptions = {},
  ) {
    super(CODES[problem], message, options);
  }
}

/** All of an object's bytes. @throws {ObjectStoreError} */
export async function readObject(
  store: ObjectStore,
  key: string,
  options: GetOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { body } = await store.get(key, options, signal);
  const blocks: Uint8Array[] = [];
  for await (const block of body) blocks.push(block);
  return new Uint8Array(Buffer.concat(blocks));
}

/** The SHA-256 of an object's bytes as they are read now, lower-case hex. @throws {ObjectStoreError} */
export async function hashObject(
  store: ObjectStore,
  key: string,
  options: GetOptions,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of (await store.get(key, options, signal)).body) hash.update(block);
  return hash.digest("hex");
}
