/** Erasures as the archive tells them: a host that nobody could tell otherwise finds them here. */
import { getLogger } from "@logtape/logtape";
import { ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { ErasureRecord, ERASURES_PREFIX } from "../../protocol/erasure.ts";
import { messageOf } from "../../protocol/errors.ts";

/** Takes a record, once it has been checked. @throws {LogvendError} not_permitted */
export type ErasureTaker = (record: ErasureRecord) => Promise<void>;

/** An erasure is some kilobytes. */
const RECORD_BYTES_MAX = 64 * 1_024;

export class ArchivedErasures {
  private readonly log = getLogger(["agent", "archive"]);
  /** By key, the ETag of what was taken or refused. */
  private readonly seen = new Map<string, string>();
  /** Said once. */
  private isDenied = false;

  constructor(private readonly objects: ObjectStore, private readonly take: ErasureTaker) {}

  /**
   * Takes what is new. Where this agent may not look, it goes on without: an erased chunk that comes
   * back does not count (protocol/chunk_id.ts).
   * @throws {ObjectStoreError} when the store cannot be asked
   */
  async look(signal: AbortSignal): Promise<void> {
    try {
      await this.lookNow(signal);
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

  private async lookNow(signal: AbortSignal) {
    for await (const { key, etag, bytes } of this.objects.list(ERASURES_PREFIX, signal)) {
      if (this.seen.get(key) === etag || bytes > RECORD_BYTES_MAX) continue;
      const content = await readObject(this.objects, key, { ifMatch: etag }, signal);
      this.seen.set(key, etag);
      try {
        await this.take(ErasureRecord.parse(JSON.parse(new TextDecoder().decode(content))));
      } catch (error) {
        this.log.warn("{key} in {archive} is not heeded: {error}", {
          key,
          archive: this.objects.url,
          error: messageOf(error),
        });
      }
    }
  }
}
