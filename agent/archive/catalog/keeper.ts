/** Keeps the manifests of a region: at moments of its own, an agent makes those that are due. */
import { setTimeout as pause } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { dateOfManifest, manifestFolder } from "../../../protocol/archive/catalog/catalog_keys.ts";
import type { CatalogDay } from "../../../protocol/archive/catalog/catalog_keys.ts";
import { isClosed } from "../../../protocol/archive/catalog/changed_days.ts";
import type { ChangedDays, KnownChanges } from "../../../protocol/archive/catalog/changed_days.ts";
import type { ListedObject } from "../../../protocol/archive/object_store.ts";
import { messageOf } from "../../../protocol/errors.ts";
import { counted } from "../../../protocol/units.ts";
import { nextMoment } from "../schedule.ts";
import { foldDay } from "./fold_day.ts";
import type { FoldParts } from "./fold_day.ts";
import { takeLease } from "./lease.ts";
import { datesOf } from "./list_day.ts";
import type { ManifestFacts } from "../../../protocol/archive/catalog/manifest.ts";
import { UnreadableManifest } from "./shelf.ts";

/** Chunks still come for young days: their manifests are made anew so often. */
const YOUNG_MS = 6 * 3_600_000;

/**
 * Days that are over are listed again so often: what came without its writer's word, of an agent of an
 * older version or by hand, is found by then. A million chunks take a thousand lists.
 */
const AGAIN_MS = 7 * 86_400_000;

/** An agent keeps the others from it for so long. What it has not done by then is the next one's. */
const ROUND_MAX_MS = 600_000;

/** After a round that had nothing left to do, nobody looks again for so long. */
const QUIET_MS = 1_500_000;

export interface KeeperOptions extends FoldParts {
  host: string;
  region: string;
  everyMs: number;
  /** What this host said of days. */
  own: ChangedDays;
  /** Columns by stream, in lower case. */
  index: ReadonlyMap<string, readonly string[]>;
}

export class CatalogKeeper {
  private readonly log = getLogger(["agent", "catalog"]);
  private failure: string | null = null;
  /** By day, the manifest that had all that was said of it when it was last looked at. */
  private readonly covered = new Map<string, string>();

  constructor(private readonly options: KeeperOptions) {}

  /** A round at every moment of the host. Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { host, everyMs } = this.options;
    try {
      for (;;) {
        const nowMs = Date.now();
        const waitMs = nextMoment(`${host} catalog`, everyMs, nowMs) - nowMs;
        await pause(waitMs, undefined, { signal });
        await this.round(signal).catch((error) => {
          signal.throwIfAborted();
          const message = messageOf(error);
          if (message === this.failure) return; // once per outage
          this.failure = message;
          this.log.warn("Cannot keep the archive's catalog, will try again: {error}", {
            error: message,
          });
        });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Makes what is due, unless it is another agent's turn. @throws {ObjectStoreError} */
  async round(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const startedMs = clock();
    await this.forgetCovered(signal);
    if (!await takeLease(this.options, startedMs + ROUND_MAX_MS, signal)) return;
    let made = 0;
    let isDone = true;
    for await (const day of this.dueDays(signal)) {
      isDone = clock() < startedMs + ROUND_MAX_MS;
      if (!isDone) break;
      const index = this.options.index.get(day.stream) ?? [];
      if (await foldDay(this.options, day, index, signal) === "stored") made++;
    }
    const quietMs = Math.min(QUIET_MS, this.options.everyMs / 2);
    await takeLease(this.options, clock() + (isDone ? quietMs : 0), signal);
    this.failure = null;
    if (made > 0) {
      this.log.info("Made {manifests} of the archive", {
        manifests: counted(made, "manifest"),
      });
    }
  }

  /** In the order of streams, the newest first. */
  private async *dueDays(signal: AbortSignal): AsyncGenerator<CatalogDay> {
    const { store, region, changes } = this.options;
    const known = await changes.read(signal);
    for (const folder of await store.folders("", signal)) {
      const stream = /^stream=(\w+)\/$/.exec(folder)?.[1];
      if (stream === undefined) continue;
      const manifests = await this.manifests(stream, signal);
      const dates = new Set([
        ...await datesOf(store, { stream, region }, signal),
        ...manifests.keys(),
      ]);
      for (const date of [...dates].sort().reverse()) {
        const day = { stream, region, date };
        if (await this.isDue(day, manifests.get(date), known, signal)) yield day;
      }
    }
  }

  private async manifests(stream: string, signal: AbortSignal) {
    const { store, region } = this.options;
    const found = new Map<string, ListedObject>();
    for await (const object of store.list(manifestFolder({ stream, region }), signal)) {
      const date = dateOfManifest(object.key);
      if (date !== null) found.set(date, object);
    }
    return found;
  }

  private async isDue(
    day: CatalogDay,
    object: ListedObject | undefined,
    known: KnownChanges,
    signal: AbortSignal,
  ): Promise<boolean> {
    const facts = object === undefined ? null : await this.factsOf(object, signal);
    if (facts === null || facts.listed_ms === null) return true;
    const index = this.options.index.get(day.stream) ?? [];
    if (index.some((column) => !facts.indexed.includes(column))) return true;
    const tokens = known.tokens(day);
    if (Object.entries(tokens).some(([writer, token]) => facts.changes[writer] !== token)) {
      return true;
    }
    const nowMs = this.options.clock();
    const listedMs = nowMs - facts.listed_ms;
    if (isClosed(day.date, facts.listed_ms)) return listedMs > AGAIN_MS;
    return isClosed(day.date, nowMs) || listedMs > YOUNG_MS;
  }

  /** Null: it cannot be read. */
  private async factsOf(object: ListedObject, signal: AbortSignal): Promise<ManifestFacts | null> {
    try {
      return (await this.options.shelf.open(object, signal)).manifest.facts;
    } catch (error) {
      if (error instanceof UnreadableManifest) return null;
      throw error;
    }
  }

  /**
   * What this host said of days need not be said once manifests know it. That is believed when the
   * same one is there in two rounds: of stores that know no conditions, the last to write wins.
   */
  private async forgetCovered(signal: AbortSignal) {
    const { own } = this.options;
    const said = await own.known(signal);
    const forgotten: { stream: string; date: string }[] = [];
    for (const { stream, date } of said.all()) {
      const name = `${stream}/${date}`;
      const manifest = (await this.manifests(stream, signal)).get(date);
      const facts = manifest === undefined ? null : await this.factsOf(manifest, signal);
      const isCovered = manifest !== undefined && facts !== null && facts.listed_ms !== null &&
        said.areKnown({ stream, date }, facts.changes);
      if (!isCovered) this.covered.delete(name);
      else if (this.covered.get(name) === manifest.etag) forgotten.push({ stream, date });
      else this.covered.set(name, manifest.etag);
    }
    await own.forget(forgotten, signal);
    for (const { stream, date } of forgotten) this.covered.delete(`${stream}/${date}`);
  }
}
