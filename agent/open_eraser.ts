/** The eraser of an agent, over its store, and who may tell it what. */
import type { AgentConfig } from "./config.ts";
import { fleetOf, verifyErasure } from "../protocol/signing/erasure.ts";
import type { ErasureRecord } from "../protocol/signing/erasure.ts";
import type { HostErasure } from "../protocol/wire/messages.ts";
import { toWireError } from "../protocol/wire/wire_error.ts";
import type { ArchivedChunks } from "./archive/queries/archived_chunks.ts";
import { Eraser } from "./erase/eraser.ts";
import { erasedRows } from "./query/erased_rows.ts";
import type { KnownResults } from "./query/known_results.ts";
import type { WorkerPool } from "./query/worker_pool.ts";
import type { Store } from "./store/store.ts";

export interface EraserParts {
  config: AgentConfig;
  store: Store;
  workers: WorkerPool;
  /** Chunks of the archive that are held for queries. */
  archived: ArchivedChunks | null;
  known: KnownResults;
}

/** Looks for nothing before it runs. */
export function openEraser({ config, store, workers, archived, known }: EraserParts): Eraser {
  const { host, region, labels, data_dir: dataDir } = config;
  return new Eraser({
    store,
    labels: { ...labels, host, region },
    find: (erasure, chunk, signal) =>
      erasedRows({ workers, dataDir, region }, { erasure, chunk }, signal),
    async forget(erasure) {
      known.clear();
      await archived?.forget(erasure);
    },
  });
}

/**
 * Checks a record and takes it. False: it is not for this host, which forgets what it holds of others'
 * chunks all the same.
 * @throws {LogvendError} not_permitted
 */
export async function takeErasure(
  eraser: Eraser,
  config: AgentConfig,
  record: ErasureRecord,
): Promise<boolean> {
  const erasure = await verifyErasure(record, {
    fleet: fleetOf(config),
    eraseTrust: config.trust_erase,
  });
  await eraser.forget(erasure);
  return eraser.add(erasure);
}

/** The same for whoever tells it over the broker: he hears how it goes. @param id as he has it */
export async function erasureState(
  eraser: Eraser,
  config: AgentConfig,
  { id, record }: { id: string; record: ErasureRecord },
): Promise<HostErasure> {
  const nothing = { rows: 0, chunks: 0, archived: 0 };
  try {
    if (await takeErasure(eraser, config, record)) {
      return eraser.progress(id) ?? { id, state: "working", ...nothing, reason: null };
    }
    return { id, state: "refused", ...nothing, reason: "its selector does not select this host" };
  } catch (error) {
    const { code, message } = toWireError(error);
    const state = code === "not_permitted" ? "refused" : "failed";
    return { id, state, ...nothing, reason: message };
  }
}
