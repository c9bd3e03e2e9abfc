/**
 * Whose turn it is to keep a region's catalog: so that agents do not all do the same at once. What it
 * saves is work alone: manifests are safe with any number of writers.
 */
import { z } from "zod";
import { leaseKey } from "../../../protocol/archive/catalog/catalog_keys.ts";
import { ObjectStoreError, readObject } from "../../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../../protocol/sha256.ts";

/** Nobody may hold it for longer: who does has a wrong clock. */
const HELD_MAX_MS = 3_600_000;

const Lease = z.object({ host: z.string(), until_ms: z.number() });

export interface LeaseParts {
  store: ObjectStore;
  region: string;
  host: string;
  clock: () => number;
}

/** Takes it until then; false: another agent has it. @throws {ObjectStoreError} */
export async function takeLease(
  { store, region, host, clock }: LeaseParts,
  untilMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const key = leaseKey(region);
  const found = await store.head(key, signal);
  if (found !== null) {
    const lease = await readLease(store, key, signal);
    const nowMs = clock();
    const isHeld = lease !== null && lease.host !== host && lease.until_ms > nowMs &&
      lease.until_ms <= nowMs + HELD_MAX_MS;
    if (isHeld) return false;
  }
  const body = new TextEncoder().encode(JSON.stringify({ host, until_ms: untilMs }));
  const outcome = await store.put({
    ...{ key, body, sha256: sha256Hex(body) },
    ...(found === null ? { ifNoneMatch: true } : { ifMatch: found.etag }),
  }, signal);
  return outcome === "stored";
}

/** Null: nobody's. */
async function readLease(store: ObjectStore, key: string, signal: AbortSignal) {
  try {
    const text = new TextDecoder().decode(await readObject(store, key, {}, signal));
    return Lease.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    if (error instanceof ObjectStoreError && error.problem === "missing") return null;
    throw error;
  }
}
