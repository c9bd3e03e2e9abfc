/** Erasures as the archive tells them: a host that nobody could tell otherwise finds them here. */
import { getLogger } from "@logtape/logtape";
import { ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import type { ListedObject, ObjectStore } from "../../protocol/archive/object_store.ts";
import { ErasureRecord, ERASURES_PREFIX } from "../../protocol/signing/erasure.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/**
 * Takes a record, which it may have taken before.
 * @throws {LogvendError} not_permitted, usage; anything else may be better the next time
 */
export type ErasureTaker = (record: ErasureRecord) => Promise<void>;

/** An erasure is some kilobytes. */
const RECORD_BYTES_MAX = 64 * 1_024;

/**
 * So long a new record is taken again and again: until its archive is done, what queries hold of the
 * archive here may be fetched anew.
 */
const RECENT_MS = 2 * 86_400_000;
const AGAIN_MS = 60_000;

/** A record that was read; null: it is none, was refused, or is not taken again. */
interface Seen {
  etag: string;
  record: ErasureRecord | null;
  takenMs: number;
}

export class ArchivedErasures {
  private readonly log = getLogger(["agent", "archive"]);
  /** By key. */
  private readonly seen = new Map<string, Seen>();
  /** Said once. */
  private isDenied = false;

  /** @param clock the archive's, as far as this host knows */
  constructor(
    private readonly objects: ObjectStore,
    private readonly take: ErasureTaker,
    private readonly clock: () => number = Date.now,
  ) {}

  /**
   * Takes what is new. Where this agent may not look, it goes on without: an erased chunk that comes
   * back does not count (protocol/chunk/chunk_id.ts).
   * @throws {ObjectStoreError} when the store cannot be asked; what a record cannot be taken for now
   */
  async look(signal: AbortSignal): Promise<void> {
    try {
      const listed = new Set<string>();
      for await (const object of this.objects.list(ERASURES_PREFIX, signal)) {
        listed.add(object.key);
        await this.lookAt(object, signal);
      }
      for (const key of this.seen.keys()) if (!listed.has(key)) this.seen.delete(key);
    } catch (error) {
      if (!(error instanceof ObjectStoreError && error.problem === "denied")) throw error;
      if (!this.isDenied) {
        this.log.warn(
          "Cannot look for erasures in the archive: {error}; logvend archive policy says what it takes",
          { error: error.message },
        );
      }
      this.isDenied = true;
    }
  }

  private async lookAt({ key, etag, bytes, modifiedMs }: ListedObject, signal: AbortSignal) {
    const nowMs = this.clock();
    const before = this.seen.get(key);
    if (before?.etag === etag) {
      if (before.record === null || nowMs - before.takenMs < AGAIN_MS) return;
      before.takenMs = nowMs;
      if (nowMs - modifiedMs < RECENT_MS) await this.take(before.record);
      else before.record = null; // the store has it by now, which is what counts
      return;
    }
    const seen: Seen = { etag, record: null, takenMs: nowMs };
    try {
      const record = await this.read({ key, etag, bytes }, signal);
      await this.take(record);
      seen.record = record;
    } catch (error) {
      if (!isOfTheRecord(error)) throw error;
      this.log.warn("{key} in {archive} is not heeded: {error}", {
        key,
        archive: this.objects.url,
        error: messageOf(error),
      });
    }
    this.seen.set(key, seen);
  }

  private async read(
    { key, etag, bytes }: Pick<ListedObject, "key" | "etag" | "bytes">,
    signal: AbortSignal,
  ): Promise<ErasureRecord> {
    if (bytes > RECORD_BYTES_MAX) throw new LogvendError("usage", `it has ${bytes} bytes`);
    const content = await readObject(this.objects, key, { ifMatch: etag }, signal);
    return parseRecord(new TextDecoder().decode(content));
  }
}

/** @throws {LogvendError} usage */
function parseRecord(text: string): ErasureRecord {
  try {
    return ErasureRecord.parse(JSON.parse(text));
  } catch (cause) {
    throw new LogvendError("usage", `no record of an erasure: ${messageOf(cause)}`, { cause });
  }
}

/** Whether it will never be taken. */
function isOfTheRecord(error: unknown): boolean {
  return error instanceof LogvendError && !(error instanceof ObjectStoreError) &&
    ["not_permitted", "usage"].includes(error.code);
}
