/**
 * Removes what operators' commands have said of days once manifests know it: agents, which read all that
 * was said before every list, may not remove it. What cannot be told, or not now, stays for the next time.
 */
import { ObjectStoreError, readObject } from "../object_store.ts";
import type { ListedObject, ObjectStore } from "../object_store.ts";
import type { ByteRange } from "../ranges.ts";
import { changedFolder, manifestKey } from "./catalog_keys.ts";
import { isClosed, KnownChanges, readChanges } from "./changed_days.ts";
import type { ChangedDay } from "./changed_days.ts";
import { Manifest } from "./manifest.ts";

/** What is younger may be at work still; and of stores that know no conditions the last to write wins. */
const SETTLED_MS = 86_400_000;

/** Looked at in one command: each takes a read of each of its days' manifests. */
const NOTES_MAX = 100;

/** What is swept, and when. */
export interface SweepRequest {
  store: ObjectStore;
  region: string;
  nowMs: number;
}

/** Of all operators' commands but those of the last day. @throws the signal's reason */
export async function sweepNotes(request: SweepRequest, signal: AbortSignal): Promise<void> {
  const { store, region, nowMs } = request;
  const folder = changedFolder(region);
  const notes: ListedObject[] = [];
  try {
    for await (const object of store.list(`${folder}operator=`, signal)) {
      if (nowMs - object.modifiedMs > SETTLED_MS) notes.push(object);
      if (notes.length >= NOTES_MAX) break;
    }
    for (const note of notes) await sweepOne(request, note, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ObjectStoreError)) throw error;
  }
}

async function sweepOne(request: SweepRequest, note: ListedObject, signal: AbortSignal) {
  const { store, region } = request;
  const { key, etag } = note;
  const writer = key.slice(changedFolder(region).length);
  const said = new KnownChanges();
  said.add(writer, await readChanges(store, key, signal));
  for (const day of said.all()) {
    if (!await isCovered(request, { said, day }, signal)) return;
  }
  // A command that is resumed has written it anew.
  if ((await store.head(key, signal))?.etag === etag) await store.remove(key, signal);
}

/** Whether the day's manifest has all that was said, and stands for the day. */
async function isCovered(
  { store, region, nowMs }: SweepRequest,
  { said, day }: { said: KnownChanges; day: ChangedDay },
  signal: AbortSignal,
): Promise<boolean> {
  const key = manifestKey({ ...day, region });
  const [object] = (await Array.fromAsync(store.list(key, signal)))
    .filter((one) => one.key === key && nowMs - one.modifiedMs > SETTLED_MS);
  if (object === undefined) return false;
  const read = (range: ByteRange) => {
    return readObject(store, key, { range, ifMatch: object.etag }, signal);
  };
  const manifest = await Manifest.open(object.bytes, read).catch((error) => {
    if (error instanceof RangeError) return null; // agents make it anew
    throw error;
  });
  if (manifest === null) return false;
  const { listed_ms: listedMs, changes } = manifest.facts;
  return listedMs !== null && isClosed(day.date, listedMs) && said.areKnown(day, changes);
}
