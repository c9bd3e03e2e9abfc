/**
 * Changes chunks with an operator's keys, which may remove objects: meanwhile their days are listed, and
 * what the catalog had of them is gone then, with every older version. Agents make it anew.
 */
import type { ChunkPlace } from "../../chunk/chunk_path.ts";
import type { ObjectStore } from "../object_store.ts";
import { entriesFolder, entryKey, manifestKey } from "./catalog_keys.ts";
import type { CatalogDay } from "./catalog_keys.ts";
import { ChangedDays, nameOf } from "./changed_days.ts";
import { sweepNotes } from "./sweep_notes.ts";

/** What is changed. */
export interface ChangeRequest {
  store: ObjectStore;
  /** Of the change: one that was interrupted goes on under its own. */
  id: string;
  /** Whose chunks may be changed. */
  places: readonly ChunkPlace[];
  /** @default now */
  nowMs?: number;
}

/** `change` calls back for every chunk that it replaces or removes. @throws what it throws */
export async function whileChanged(
  { store, id, places, nowMs = Date.now() }: ChangeRequest,
  change: (changed: (place: ChunkPlace) => void) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const regions = Map.groupBy(places.map(dayOf), ({ region }) => region);
  const said = [...regions].map(([region, days]) => {
    return { region, days, changes: new ChangedDays(store, region, `operator=${id}`) };
  });
  const changed = new Map<string, CatalogDay>();
  const entries = new Set<string>();
  const add = (day: CatalogDay) => void changed.set(manifestKey(day), day);
  for (const { region, days, changes } of said) {
    // Of an attempt that was interrupted nobody knows how far it came.
    for (const day of (await changes.known(signal)).all()) {
      add({ ...day, region });
      const folder = entriesFolder({ ...day, region });
      for await (const { key } of store.list(folder, signal)) entries.add(key);
    }
    await changes.open(days, signal);
  }
  await change((place) => {
    add(dayOf(place));
    entries.add(entryKey(dayOf(place), place));
  });
  for (const key of [...changed.keys(), ...entries]) await purge(store, key, signal);
  for (const { region, days, changes } of said) {
    const names = new Set([...changed.values()].map(nameOf));
    await changes.closeBut(days.filter((day) => !names.has(nameOf(day))), signal);
    await sweepNotes({ store, region, nowMs }, signal);
  }
}

/** Where nothing is, a bucket with versions would get one that says so. */
async function purge(store: ObjectStore, key: string, signal: AbortSignal) {
  const isThere = await store.head(key, signal) !== null ||
    (await Array.fromAsync(store.hidden(key, signal))).includes(key);
  if (isThere) await store.purge(key, signal);
}

function dayOf({ stream, region, hour }: ChunkPlace): CatalogDay {
  return { stream, region, date: hour.slice(0, 10) };
}
