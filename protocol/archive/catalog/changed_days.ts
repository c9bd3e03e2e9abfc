/**
 * Who changes days that a manifest may have as closed. A writer says so before it stores, replaces or
 * removes a chunk of such a day, and again when it is through: so no reader takes a manifest for whole
 * that cannot have the chunk. Each writer has one object, which nobody else writes.
 */
import { z } from "zod";
import { messageOf } from "../../errors.ts";
import { sha256Hex } from "../../sha256.ts";
import { ObjectStoreError, readObject } from "../object_store.ts";
import type { ObjectStore } from "../object_store.ts";
import { changedFolder } from "./catalog_keys.ts";
import type { CatalogDay } from "./catalog_keys.ts";

/** A day of a region. */
export type ChangedDay = Pick<CatalogDay, "stream" | "date">;

const DAY_MS = 86_400_000;

/** Longer after a day has ended, whoever stores a chunk of it says so first. */
const SAID_AFTER_MS = DAY_MS;

/**
 * Only longer after a day has ended, its manifest may be taken for whole. What is between the two is
 * what a chunk may take on its way, and what clocks may differ.
 */
const CLOSED_AFTER_MS = 2 * DAY_MS;

/** A day that was changed. */
const Change = z.object({
  /** Another one after every change. */
  token: z.string(),
  /** Whether it is still going on, or was when its writer ended. */
  open: z.boolean(),
});

type Change = z.infer<typeof Change>;

/** By `STREAM/DATE`. */
const Changes = z.record(z.string(), Change);
type Changes = z.infer<typeof Changes>;

/** What an object without changes has. */
const NONE = "{}";

/** Whether a chunk of this day has to be said before it is stored. */
export function isSaid(date: string, nowMs: number): boolean {
  return nowMs > endOf(date) + SAID_AFTER_MS;
}

/** Whether a list of this moment has all chunks of a day, but for those that are said. */
export function isClosed(date: string, listedMs: number): boolean {
  return listedMs > endOf(date) + CLOSED_AFTER_MS;
}

function endOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) + DAY_MS;
}

/** Changes that have been read: by day, then by writer. */
export class KnownChanges {
  private readonly days = new Map<string, Map<string, Change>>();

  add(writer: string, changes: Changes) {
    for (const [day, change] of Object.entries(changes)) {
      const known = this.days.get(day) ?? new Map<string, Change>();
      this.days.set(day, known.set(writer, change));
    }
  }

  all(): ChangedDay[] {
    return [...this.days.keys()].map((day) => {
      const [stream = "", date = ""] = day.split("/");
      return { stream, date };
    });
  }

  /** Of a day, by writer: those that are through. */
  tokens({ stream, date }: ChangedDay): Record<string, string> {
    const all = [...this.days.get(`${stream}/${date}`) ?? []];
    return Object.fromEntries(all.flatMap(([writer, { token, open }]) => {
      return open ? [] : [[writer, token]];
    }));
  }

  /** Whether a manifest that knows these tokens has all that was said. */
  areKnown({ stream, date }: ChangedDay, tokens: Readonly<Record<string, string>>): boolean {
    const all = [...this.days.get(`${stream}/${date}`) ?? []];
    return all.every(([writer, { token, open }]) => !open && tokens[writer] === token);
  }
}

/** Reads what writers of a region have said; what was read before is not read again. */
export class ChangesReader {
  /** By key. */
  private readonly known = new Map<string, { etag: string; changes: Changes }>();

  constructor(private readonly store: ObjectStore, private readonly region: string) {}

  /** @throws {ObjectStoreError} */
  async read(signal: AbortSignal): Promise<KnownChanges> {
    const all = new KnownChanges();
    const folder = changedFolder(this.region);
    for await (const { key, etag, bytes } of this.store.list(folder, signal)) {
      if (bytes <= NONE.length) continue;
      const known = this.known.get(key);
      const changes = known?.etag === etag
        ? known.changes
        : await readChanges(this.store, key, signal);
      this.known.set(key, { etag, changes });
      all.add(key.slice(folder.length), changes);
    }
    return all;
  }
}

/** What one writer says. @throws {ObjectStoreError} */
export async function readChanges(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<Changes> {
  return parsed(store.url, key, await readObject(store, key, {}, signal));
}

/** What one writer says. One change of it at a time. */
export class ChangedDays {
  private changes: Changes | null = null;
  private last: Promise<unknown> = Promise.resolve();

  /** @param writer `host=web-1`, or a name that no host has */
  constructor(
    private readonly store: ObjectStore,
    private readonly region: string,
    readonly writer: string,
  ) {}

  /** What it says itself, as others read it. @throws {ObjectStoreError} */
  async known(signal: AbortSignal): Promise<KnownChanges> {
    const changes = new KnownChanges();
    changes.add(this.writer, await this.read(signal));
    return changes;
  }

  /** Chunks of these days will change: until it is closed, they are listed. */
  async open(days: readonly ChangedDay[], signal: AbortSignal): Promise<void> {
    await this.change((said) => {
      const added = days.map(nameOf).filter((day) => said[day]?.open !== true);
      return added.length === 0 ? said : { ...said, ...all(added, true) };
    }, signal);
  }

  /** What was open is through: who lists from now on has all of it. */
  async close(signal: AbortSignal): Promise<void> {
    await this.change((said) => {
      const open = Object.keys(said).filter((day) => said[day]?.open);
      return open.length === 0 ? said : { ...said, ...all(open, false) };
    }, signal);
  }

  /** What was open is through; of these days nothing was changed. */
  async closeBut(unchanged: readonly ChangedDay[], signal: AbortSignal): Promise<void> {
    const names = new Set(unchanged.map(nameOf));
    await this.change((said) => {
      const kept = Object.fromEntries(Object.entries(said).filter(([day]) => !names.has(day)));
      const open = Object.keys(kept).filter((day) => kept[day]?.open);
      return { ...kept, ...all(open, false) };
    }, signal);
  }

  /** What a manifest has of these days is wrong: they are listed until it is made anew. */
  async distrust(days: readonly ChangedDay[], signal: AbortSignal): Promise<void> {
    await this.change((said) => {
      const closed = days.map(nameOf).filter((day) => said[day]?.open !== true);
      return { ...said, ...all(closed, false) };
    }, signal);
  }

  /** Manifests know what was closed of these days. */
  async forget(days: readonly ChangedDay[], signal: AbortSignal): Promise<void> {
    const names = new Set(days.map(nameOf));
    await this.change((said) => {
      const kept = Object.entries(said).filter(([day, { open }]) => open || !names.has(day));
      return kept.length === Object.keys(said).length ? said : Object.fromEntries(kept);
    }, signal);
  }

  private async change(edit: (said: Changes) => Changes, signal: AbortSignal): Promise<void> {
    const turn = this.last.then(async () => {
      const said = await this.read(signal);
      const edited = edit(said);
      if (edited !== said) await this.write(edited, signal);
    });
    this.last = turn.catch(() => {}); // whoever asked for it is told
    await turn;
  }

  private get key(): string {
    return `${changedFolder(this.region)}${this.writer}`;
  }

  private async read(signal: AbortSignal): Promise<Changes> {
    if (this.changes !== null) return this.changes;
    try {
      const bytes = await readObject(this.store, this.key, {}, signal);
      this.changes = parsed(this.store.url, this.key, bytes);
    } catch (error) {
      if (!(error instanceof ObjectStoreError) || error.problem !== "missing") throw error;
      this.changes = {};
    }
    return this.changes;
  }

  private async write(changes: Changes, signal: AbortSignal) {
    this.changes = null; // until it is known to be there
    const body = new TextEncoder().encode(JSON.stringify(changes));
    await this.store.put({ key: this.key, body, sha256: sha256Hex(body) }, signal);
    this.changes = changes;
  }
}

/** As changes are kept by it. */
export function nameOf({ stream, date }: ChangedDay): string {
  return `${stream}/${date}`;
}

function all(days: readonly string[], open: boolean): Changes {
  return Object.fromEntries(days.map((day) => [day, { token: crypto.randomUUID(), open }]));
}

/** @throws {ObjectStoreError} corrupt: nobody can tell which days were changed */
function parsed(url: string, key: string, bytes: Uint8Array): Changes {
  try {
    return Changes.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    const text = `${key} in ${url} is no list of days (${messageOf(cause)}): remove it`;
    throw new ObjectStoreError("corrupt", text, "corrupt", { cause });
  }
}
