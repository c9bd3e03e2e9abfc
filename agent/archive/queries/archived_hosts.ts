/**
 * Which hosts an archive has chunks of, and of when: what the manifests of its days say, and lists of
 * the days that have none which is whole. No row of a manifest is read.
 */
import type { KnownChanges } from "../../../protocol/archive/catalog/changed_days.ts";
import type { CatalogDay } from "../../../protocol/archive/catalog/catalog_keys.ts";
import { dayMsOf, lastHour } from "../../../protocol/archive/archived_hours.ts";
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import { StreamName } from "../../../protocol/names.ts";
import { ARCHIVED_HOSTS_MAX } from "../../../protocol/wire/archived_hosts.ts";
import type { ArchivedHost } from "../../../protocol/wire/archived_hosts.ts";
import { datesOf, lookThroughDay } from "../catalog/list_day.ts";
import { UnreadableManifest } from "../catalog/shelf.ts";
import { HostHours } from "../catalog/write_manifest.ts";
import { retried } from "../reads/retried.ts";
import { Slots } from "../reads/slots.ts";
import { hasAll, manifestsOf, readChanges } from "./find_chunks.ts";
import type { FindParts } from "./find_chunks.ts";

type Parts = Pick<FindParts, "store" | "shelf" | "changes" | "self">;

/** Nobody waits for it: questions go first. */
const DAYS_AT_ONCE = 8;

const HOUR_MS = 3_600_000;

/** @throws {LogvendError} of the store, and unavailable where there are too many */
export async function archivedHosts(parts: Parts, signal: AbortSignal): Promise<ArchivedHost[]> {
  const stop = new AbortController(); // of one day nobody can say: the others are for nothing
  try {
    return await look(parts, AbortSignal.any([signal, stop.signal]));
  } finally {
    stop.abort();
  }
}

async function look(parts: Parts, signal: AbortSignal): Promise<ArchivedHost[]> {
  const { store, self: { region } } = parts;
  const extents = new Extents();
  const slots = new Slots(DAYS_AT_ONCE);
  const changes = await readChanges(parts, signal); // before manifests: see KnownChanges
  for (const stream of await streamsOf(store, signal)) {
    const manifests = changes === null
      ? new Map<string, ListedObject>()
      : await manifestsOf(parts, stream, signal);
    const listed = await datesOf(store, { stream, region }, signal);
    const days = [...new Set([...listed, ...manifests.keys()])];
    await Promise.all(days.map((date) =>
      slots.run(async () => {
        signal.throwIfAborted();
        const day = { stream, region, date };
        const manifest = manifests.get(date);
        extents.add(day, await hoursOf(parts, day, { manifest, changes }, signal));
      })
    ));
  }
  return extents.all();
}

async function streamsOf(store: ObjectStore, signal: AbortSignal): Promise<string[]> {
  const folders = await retried(() => store.folders("", signal), { signal });
  return folders.map((folder) => /^stream=(.+)\/$/.exec(folder)?.[1])
    .filter((name) => name !== undefined)
    .filter((name) => StreamName.safeParse(name).success);
}

/** By host, how many chunks it has of the hours of a day (archived_hours.ts). */
async function hoursOf(
  { store, shelf }: Parts,
  day: CatalogDay,
  known: { manifest: ListedObject | undefined; changes: KnownChanges | null },
  signal: AbortSignal,
): Promise<Record<string, string>> {
  if (known.manifest !== undefined && known.changes !== null) {
    try {
      const { manifest: { facts } } = await shelf.open(known.manifest, signal);
      if (hasAll(facts, day, known.changes)) return facts.hosts;
    } catch (error) {
      if (!(error instanceof UnreadableManifest)) throw error; // a question says what is wrong with it
    }
  }
  const hours = new HostHours();
  await lookThroughDay(store, day, {
    take: (chunks) => {
      for (const { place: { host, hour } } of chunks) {
        hours.add({ host, hour: Number(hour.slice(11)) });
      }
    },
    signal,
  });
  return hours.all();
}

/** First and last hours by stream and host. */
class Extents {
  private readonly hosts = new Map<string, ArchivedHost>();

  /** @throws {LogvendError} unavailable */
  add({ stream, date }: CatalogDay, hours: Readonly<Record<string, string>>) {
    const firstHour = dayMsOf(date) / HOUR_MS;
    for (const [host, counts] of Object.entries(hours)) {
      const last = lastHour(counts);
      if (last === null) continue;
      const from = firstHour + counts.search(/[^0]/);
      const end = firstHour + last + 1;
      const key = `${stream}\n${host}`;
      const [, , knownFrom = from, knownEnd = end] = this.hosts.get(key) ?? [];
      this.hosts.set(key, [host, stream, Math.min(from, knownFrom), Math.max(end, knownEnd)]);
    }
    if (this.hosts.size <= ARCHIVED_HOSTS_MAX) return;
    throw new LogvendError(
      "unavailable",
      `the archive has more than ${ARCHIVED_HOSTS_MAX} hosts, times streams: ` +
        "--source archive knows them",
    );
  }

  all(): ArchivedHost[] {
    return [...this.hosts.values()];
  }
}
