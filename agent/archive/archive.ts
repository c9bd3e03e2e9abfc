/** Brings sealed chunks into the archive, at the host's moments, and tries until it has them. */
import { setTimeout as pause } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { hashObject, ObjectStoreError } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { messageOf } from "../../protocol/errors.ts";
import { counted, formatBytes } from "../../protocol/units.ts";
import type { ArchiveBook, Backlog } from "../store/database/archive_book.ts";
import type { StoredFile } from "../store/database/catalog.ts";
import type { StoreObserver } from "../store/observer.ts";
import type { UploadNotes } from "./catalog/upload_notes.ts";
import { noteFormerChunks } from "./former_chunks.ts";
import type { FormerChunksOptions } from "./former_chunks.ts";
import { backoffMs, nextMoment } from "./schedule.ts";
import { uploadChunk } from "./upload_chunk.ts";

export interface ArchiveOptions {
  objects: ObjectStore;
  book: ArchiveBook;
  /** Hashes a chunk now; null: it is not what was written, and is out of the store. */
  verified: (chunk: StoredFile) => Promise<StoredFile | null>;
  /** Gives a chunk another id: the archive has other rows under its own. Null: it is not here any more. */
  renew: (chunk: StoredFile & { sha256: string }) => Promise<StoredFile | null>;
  dataDir: string;
  host: string;
  everyMs: number;
  /** Looks for erasures in the archive: what is told there must not come back by an upload. */
  learn?: (signal: AbortSignal) => Promise<void>;
  /** Runs work while no chunk is written anew. */
  exclusively?: (work: () => Promise<void>) => Promise<void>;
  /** What the catalog is told of what is stored. @default nothing */
  notes?: Pick<UploadNotes, "begin" | "stored" | "settle"> | undefined;
  observer?: StoreObserver | null;
  clock?: () => number;
  /** @throws the signal's reason */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  random?: () => number;
}

/** How archiving goes. */
export interface ArchiveCondition {
  backlog: Backlog;
  /** What the last attempt failed of; null when it did not. */
  failure: { short: string; message: string; sinceMs: number } | null;
  /** Until when the archive has everything; null: nothing. */
  untilMs: number | null;
}

/** After a store did not say whether it has a chunk, retention does not ask again for so long. */
const CONFIRM_AGAIN_MS = 60_000;

/** Asked for at once: retention comes by every few seconds. */
const CONFIRMED_MAX = 50;

export class Archive implements AsyncDisposable {
  private readonly log = getLogger(["agent", "archive"]);
  private readonly clock: () => number;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private failure: ArchiveCondition["failure"] = null;
  private confirmAgainMs = 0;
  /** Ids of chunks whose objects are not what they were. */
  private readonly spoilt = new Set<string>();

  constructor(private readonly options: ArchiveOptions) {
    this.clock = options.clock ?? Date.now;
    this.wait = options.wait ?? (async (ms, signal) => await pause(ms, undefined, { signal }));
  }

  /** Uploads at every moment of the host. Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { host, everyMs } = this.options;
    try {
      for (;;) {
        const nowMs = this.clock();
        await this.wait(nextMoment(host, everyMs, nowMs) - nowMs, signal);
        await this.uploadAll(signal).catch((error) => {
          signal.throwIfAborted();
          this.failed(error);
        });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Looks whether it has chunks of an earlier data folder. Resolves when it is known, or aborted. */
  async lookForFormer(
    place: Pick<FormerChunksOptions, "region" | "streams">,
    signal: AbortSignal,
  ): Promise<void> {
    const { objects, host, book: { former }, random = Math.random } = this.options;
    const { wait } = this;
    try {
      await noteFormerChunks({ ...place, objects, former, host, wait, random }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /**
   * Uploads all that wait. While the store does not work it is tried again for ever; a chunk that
   * cannot be uploaded for a reason of its own is left for the next time, and others go on.
   * @throws the signal's reason
   */
  async uploadAll(signal: AbortSignal): Promise<void> {
    const { random = Math.random } = this.options;
    const left = new Set<string>();
    const sent = { chunks: 0, bytes: 0 };
    let failures = 0;
    for (;;) {
      signal.throwIfAborted();
      let chunk: StoredFile | null = null;
      try {
        chunk = await this.next(left, signal);
        if (chunk === null) break;
        await this.uploadOne(chunk, signal);
        sent.chunks++;
        sent.bytes += chunk.bytes;
        failures = 0;
        if (left.size === 0) this.worksAgain();
      } catch (error) {
        signal.throwIfAborted();
        this.failed(error);
        if (chunk !== null && isOfTheChunk(error)) left.add(chunk.id);
        else await this.wait(backoffMs(failures++, random), signal);
      }
    }
    if (left.size === 0) await this.settle(signal);
    if (sent.chunks === 0) return;
    const { chunks, bytes } = sent;
    this.log.info("Archived {chunks}, {bytes}", {
      chunks: counted(chunks, "chunk"),
      bytes: formatBytes(bytes),
    });
  }

  /**
   * Which of these chunks the archive has at this moment: what it has lost is uploaded again, and
   * while it cannot say, there is none.
   */
  async confirm(ids: readonly string[], signal: AbortSignal): Promise<string[]> {
    const confirmed: string[] = [];
    if (this.clock() < this.confirmAgainMs) return confirmed;
    try {
      for (const id of ids.slice(0, CONFIRMED_MAX)) {
        if (await this.isThere(id, signal)) confirmed.push(id);
      }
    } catch (error) {
      signal.throwIfAborted();
      this.failed(error);
      this.confirmAgainMs = this.clock() + CONFIRM_AGAIN_MS;
    }
    return confirmed;
  }

  condition(): ArchiveCondition {
    const { book } = this.options;
    return { backlog: book.backlog(), failure: this.failure, untilMs: book.untilMs() };
  }

  async [Symbol.asyncDispose]() {
    await this.options.objects[Symbol.asyncDispose]();
  }

  /** Takes erasures that are new in the archive. @throws {ObjectStoreError} */
  async learn(signal: AbortSignal): Promise<void> {
    await this.options.learn?.(signal);
  }

  /** What waits and is none of `left`; erasures may have come since the last one. */
  private async next(left: ReadonlySet<string>, signal: AbortSignal): Promise<StoredFile | null> {
    await this.learn(signal);
    return this.options.book.next(left);
  }

  /** All is there that was on its way. What the catalog cannot be told now it is told next time. */
  private async settle(signal: AbortSignal) {
    try {
      await this.options.notes?.settle(signal);
      this.worksAgain();
    } catch (error) {
      signal.throwIfAborted();
      this.failed(error);
    }
  }

  private async uploadOne(chunk: StoredFile, signal: AbortSignal) {
    const { objects, book, dataDir, verified, notes, exclusively = (work) => work() } =
      this.options;
    await exclusively(async () => {
      const whole = await verified(chunk);
      if (whole === null) return; // said, and out of the store; or written anew
      const { id, path, sha256 } = whole;
      if (sha256 === null) throw new Error(`${path} was verified against nothing`);
      const hashed = { ...whole, sha256 };
      await notes?.begin(path, signal);
      const isSpoilt = this.spoilt.has(id);
      const archived = await uploadChunk({ objects, dataDir, chunk: hashed, isSpoilt }, signal);
      if (archived === null) return await this.renew(hashed);
      await notes?.stored({ path, ...archived }, signal);
      book.note(whole, archived);
      this.spoilt.delete(id);
      this.log.debug("Archived {path}", { path });
    });
  }

  /** It waits for its upload under another id, and what is there is of before, or another host's. */
  private async renew(chunk: StoredFile & { sha256: string }) {
    const { objects, book, renew } = this.options;
    book.former.extend(chunk.hour);
    const renewed = await renew(chunk);
    if (renewed === null) return;
    this.log.warn(
      "{archive} has other rows as {path}: written by another host of this name, or by this one before " +
        "its rules changed and an older agent.db was put back; the rows here are archived beside them, as {id}",
      { archive: objects.url, path: chunk.path, id: renewed.id },
    );
  }

  private async isThere(id: string, signal: AbortSignal): Promise<boolean> {
    const { objects, book } = this.options;
    const known = book.find(id);
    const path = known === null ? null : book.pathOf(id);
    if (known === null || path === null) return false;
    const found = await objects.head(path, signal);
    if (found?.bytes === known.bytes) {
      const { sha256, etag: ifMatch } = found;
      // A store that keeps no checksums is read: what goes now is gone.
      const there = sha256 ?? await hashObject(objects, path, { ifMatch }, signal);
      if (there === known.sha256) return true;
    }
    const what = found === null ? "gone from" : "not what it was in";
    this.log.warn(`{path} is ${what} {archive}: it is uploaded again`, {
      path,
      archive: objects.url,
    });
    if (found !== null) this.spoilt.add(id);
    book.forget(id);
    return false;
  }

  private failed(error: unknown) {
    const message = messageOf(error);
    this.options.observer?.failed("upload");
    const short = error instanceof ObjectStoreError ? error.short : "failed";
    if (this.failure?.message !== message) { // once per outage
      this.log.warn("Cannot archive, will try again: {error}", { error: message });
    }
    this.failure = { short, message, sinceMs: this.failure?.sinceMs ?? this.clock() };
  }

  private worksAgain() {
    if (this.failure === null) return;
    this.failure = null;
    this.log.info("The archive works again: {chunks} wait", {
      chunks: counted(this.options.book.backlog().chunks, "chunk"),
    });
  }
}

/** Whether other chunks may fare better. */
function isOfTheChunk(error: unknown): boolean {
  if (!(error instanceof ObjectStoreError)) return false;
  switch (error.problem) {
    case "corrupt":
    case "changed":
    case "missing":
    case "refused":
      return true;
    case "truncated":
    case "no_bucket":
    case "wrong_region":
    case "credentials":
    case "denied":
    case "clock":
    case "full":
    case "busy":
    case "unreachable":
      return false;
    default:
      return error.problem satisfies never;
  }
}
