/** Looks for chunks of this host that its data folder never had: an earlier one was lost. */
import { getLogger } from "@logtape/logtape";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { FormerFolder } from "../store/recovery/former_folder.ts";
import { datesOf, listDay } from "./catalog/list_day.ts";
import { backoffMs } from "./schedule.ts";

const HOUR_MS = 3_600_000;

export interface FormerChunksOptions {
  objects: ObjectStore;
  former: FormerFolder;
  host: string;
  region: string;
  /** Whose chunks there can be. */
  streams: readonly string[];
  random: () => number;
  /** @throws the signal's reason */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Once for each data folder; tries until it has been done. @throws the signal's reason */
export async function noteFormerChunks(options: FormerChunksOptions, signal: AbortSignal) {
  const { former, wait, random } = options;
  if (former.isKnown()) return;
  const log = getLogger(["agent", "archive"]);
  for (let failures = 0;; failures++) {
    try {
      const until = await formerUntil(options, signal);
      former.note(until);
      if (until === null) return;
      log.info("The archive has chunks of an earlier data folder of this host, up to {until}", {
        until,
      });
      return;
    } catch (error) {
      signal.throwIfAborted();
      const reason = messageOf(error);
      log.debug("Cannot look through the archive, will try again: {reason}", { reason });
      await wait(backoffMs(failures, random), signal);
    }
  }
}

/** The end of the newest hour of such a chunk. Days before it are not looked at. */
async function formerUntil(options: FormerChunksOptions, signal: AbortSignal) {
  const { objects, former, host, region, streams } = options;
  let last: string | null = null;
  for (const stream of streams) {
    const dates = await datesOf(objects, { stream, region }, signal);
    for (const date of dates.sort().reverse()) {
      if (last !== null && date < last.slice(0, date.length)) break;
      const chunks = await listDay(objects, { stream, region, date }, signal);
      const hours = chunks.map(({ place }) => place)
        .filter((place) => place.host === host && !former.isOfThis(place.chunk))
        .map(({ hour }) => hour);
      for (const hour of hours) if (last === null || hour > last) last = hour;
    }
  }
  return last === null ? null : new Date(Date.parse(`${last}:00:00Z`) + HOUR_MS).toISOString();
}
