/** An archive in a folder: of this machine, or of a file server that it has mounted. */
import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
import { messageOf } from "../errors.ts";
import { reasonOf } from "../file_error.ts";
import { Bandwidth } from "./bandwidth.ts";
import { ObjectStoreError } from "./object_store.ts";
import type {
  GetOptions,
  ListedObject,
  NewObject,
  ObjectContent,
  ObjectFacts,
  ObjectStore,
  StoreProblem,
} from "./object_store.ts";

const BLOCK_BYTES = 1_048_576;

/** Of files that are being written; never listed. */
const TEMPORARY_PREFIX = ".writing-";

/** Objects are files, whose keys are their paths in the folder. */
export class FolderStore implements ObjectStore {
  readonly url: string;
  private readonly bandwidth: Bandwidth;

  /**
   * @param bytesPerSecond undefined: as much as goes
   * @param missing what to do about a folder that is not there; undefined: it is an empty one
   */
  constructor(
    private readonly folder: string,
    bytesPerSecond?: number,
    private readonly missing?: string,
  ) {
    this.url = `file:${folder}`;
    this.bandwidth = new Bandwidth(bytesPerSecond);
  }

  async put(object: NewObject, signal: AbortSignal): Promise<"stored" | "exists"> {
    const path = this.pathOf(object.key);
    return await this.attempt(`store ${object.key}`, signal, async () => {
      await this.checkThere();
      await Deno.mkdir(dirname(path), { recursive: true });
      const unique = crypto.randomUUID().slice(0, 8);
      const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${unique}-${basename(path)}`);
      try {
        await this.write(temporary, object, signal);
        const outcome = object.ifMatch === undefined
          ? await name(temporary, path, object.ifNoneMatch ?? false)
          : await replace(temporary, path, object.ifMatch);
        await sync(dirname(path));
        return outcome;
      } finally {
        await removeIfThere(temporary);
      }
    });
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectFacts | null> {
    return await this.attempt(`look at ${key}`, signal, async () => {
      try {
        const info = await Deno.stat(this.pathOf(key));
        return { bytes: info.size, etag: etagOf(info), sha256: null, metadata: {} };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    });
  }

  async get(
    key: string,
    { range, ifMatch }: GetOptions,
    signal: AbortSignal,
  ): Promise<ObjectContent> {
    return await this.attempt(`read ${key}`, signal, async () => {
      const file = await Deno.open(this.pathOf(key));
      const info = await file.stat();
      const etag = etagOf(info);
      if (ifMatch !== undefined && ifMatch !== etag) {
        file.close();
        throw this.failure("changed", `Cannot read ${key}: it changed; ask again`, "changed");
      }
      const { start, end } = range ?? { start: 0, end: info.size };
      const body = this.read(file, { key, start, end: Math.min(end, info.size) }, signal);
      return { bytes: info.size, etag, body };
    });
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    await this.checkThere();
    const within = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    for await (const { path, info } of this.walk(this.pathOf(within), signal)) {
      const key = relative(this.folder, path);
      if (!key.startsWith(prefix)) continue;
      yield { key, bytes: info.size, etag: etagOf(info), modifiedMs: info.mtime?.getTime() ?? 0 };
    }
  }

  async folders(prefix: string, signal: AbortSignal): Promise<string[]> {
    return await this.attempt(`list ${prefix}`, signal, async () => {
      await this.checkThere();
      try {
        const entries = await Array.fromAsync(Deno.readDir(this.pathOf(prefix)));
        return entries.flatMap((entry) => entry.isDirectory ? [`${entry.name}/`] : []).sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    });
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await this.attempt(`remove ${key}`, signal, async () => {
      await removeIfThere(this.pathOf(key));
      await sync(dirname(this.pathOf(key))).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    });
  }

  async purge(key: string, signal: AbortSignal): Promise<void> {
    await this.remove(key, signal); // there are no versions
  }

  async *hidden(): AsyncGenerator<string> {}

  async [Symbol.asyncDispose]() {}

  private async write(path: string, { key, body, sha256 }: NewObject, signal: AbortSignal) {
    using target = await Deno.open(path, { write: true, createNew: true });
    const hash = createHash("sha256");
    for await (const block of blocksOf(body)) {
      hash.update(block);
      for await (const piece of this.bandwidth.pace(block, signal)) await writeAll(target, piece);
    }
    const found = hash.digest("hex");
    if (found !== sha256) {
      const text = `Cannot store ${key}: its bytes have SHA-256 ${found}, not ${sha256}`;
      throw this.failure("corrupt", text, "corrupt");
    }
    await target.sync();
  }

  private async *read(
    file: Deno.FsFile,
    { key, start, end }: { key: string; start: number; end: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    using source = file;
    await source.seek(start, Deno.SeekMode.Start);
    for (let left = end - start; left > 0;) {
      signal.throwIfAborted();
      const block = new Uint8Array(Math.min(BLOCK_BYTES, left));
      const length = await source.read(block);
      if (length === null) {
        throw this.failure("truncated", `Cannot read ${key}: it ended early`, "ended early");
      }
      left -= length;
      yield block.subarray(0, length);
    }
  }

  private async *walk(folder: string, signal: AbortSignal): AsyncGenerator<Found> {
    signal.throwIfAborted();
    let left = await this.entriesOf(folder);
    for (let entry = left.shift(); entry !== undefined; entry = left.shift()) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) {
        yield* this.walk(path, signal);
        continue;
      }
      const info = await Deno.stat(path).catch((error) => {
        if (isMissing(error)) return null;
        throw this.mapped(`list ${folder}`, error);
      });
      if (info !== null) yield { path, info };
      else { // removed meanwhile: what took its place stands behind it
        const { order } = entry;
        left = (await this.entriesOf(folder)).filter((other) => other.order > order);
      }
    }
  }

  /** Ordered as S3 does: a folder's key goes on with a slash. */
  private async entriesOf(folder: string): Promise<(Deno.DirEntry & { order: string })[]> {
    try {
      const entries = await Array.fromAsync(Deno.readDir(folder));
      return entries.filter(({ name }) => !name.startsWith(TEMPORARY_PREFIX))
        .map((entry) => ({ ...entry, order: entry.isDirectory ? `${entry.name}/` : entry.name }))
        .sort((a, b) => a.order < b.order ? -1 : 1);
    } catch (error) {
      if (isMissing(error)) return [];
      throw this.mapped(`list ${folder}`, error);
    }
  }

  /** What is not mounted has nothing, as it seems. @throws {ObjectStoreError} where that is told apart */
  private async checkThere() {
    if (this.missing === undefined) return;
    const isThere = await Deno.stat(this.folder).then(() => true, (error) => !isMissing(error));
    if (isThere) return;
    const text = `Cannot use ${this.url}: there is no such folder here; ${this.missing}`;
    throw this.failure("no_bucket", text, "no folder");
  }

  private pathOf(key: string): string {
    if (key.split("/").includes("..")) throw new Error(`not a key: ${key}`);
    return join(this.folder, key);
  }

  private async attempt<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      throw this.mapped(what, error);
    }
  }

  private mapped(what: string, error: unknown): unknown {
    if (error instanceof ObjectStoreError || !(error instanceof Error)) return error;
    const failed = `Cannot ${what} in ${this.url}`;
    if (isMissing(error)) return this.failure("missing", `${failed}: no such object`, "missing");
    if (error instanceof Deno.errors.PermissionDenied) {
      const advice = `${failed}: permission denied; give this user the folder`;
      return this.failure("denied", advice, "permission denied", error);
    }
    if (/No space left|os error 28|Disk quota|os error 122/.test(messageOf(error))) {
      return this.failure("full", `${failed}: the disk is full; make room`, "disk full", error);
    }
    return this.failure("refused", `${failed}: ${reasonOf(error)}`, "failed", error);
  }

  private failure(problem: StoreProblem, text: string, short: string, cause?: unknown) {
    return new ObjectStoreError(problem, text, short, { cause });
  }
}

interface Found {
  path: string;
  info: Deno.FileInfo;
}

async function* blocksOf(body: NewObject["body"]): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) return yield body;
  using source = await Deno.open(body.path);
  for (;;) {
    const block = new Uint8Array(BLOCK_BYTES);
    const length = await source.read(block);
    if (length === null) return;
    yield block.subarray(0, length);
  }
}

/** Gives the file its final name. A link is not made over another; a rename is. */
async function name(
  temporary: string,
  path: string,
  isNewOnly: boolean,
): Promise<"stored" | "exists"> {
  if (!isNewOnly) {
    await Deno.rename(temporary, path);
    return "stored";
  }
  try {
    await Deno.link(temporary, path);
    return "stored";
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return "exists";
    throw error;
  }
}

/** Others that replace a version in this folder wait meanwhile, on this machine. */
async function replace(
  temporary: string,
  path: string,
  etag: string,
): Promise<"stored" | "exists"> {
  const options = { create: true, write: true };
  using lock = await Deno.open(join(dirname(path), `${TEMPORARY_PREFIX}lock`), options);
  await lock.lock(true);
  const found = await Deno.stat(path).catch((error) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (found === null || etagOf(found) !== etag) return "exists";
  await Deno.rename(temporary, path);
  return "stored";
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array) {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

function etagOf({ size, mtime, ino }: Deno.FileInfo): string {
  return `"${size.toString(16)}-${(mtime?.getTime() ?? 0).toString(16)}-${
    (ino ?? 0).toString(16)
  }"`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

async function sync(path: string) {
  using folder = await Deno.open(path);
  await folder.sync();
}

async function removeIfThere(path: string) {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
