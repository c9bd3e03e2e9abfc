/** Holds log files back until it is known which of their lines the archive has already. */
import { setTimeout as pause } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { REJECTS } from "../protocol/schema/streams.ts";
import { formatDurationMs } from "../protocol/units.ts";
import type { RegionCatalog } from "./archive/catalog/open_catalog.ts";
import { regain } from "./archive/regain.ts";
import type { AgentConfig } from "./config.ts";
import { beginningsOf } from "./ingest/beginnings.ts";
import type { Beginnings } from "./ingest/beginnings.ts";
import type { Store } from "./store/store.ts";

/** Log files that wait. */
export interface HeldBack {
  /** Resolves when they may be read. Rejects when what the archive said cannot be kept. */
  until: Promise<void>;
  isOver: boolean;
}

/** A data folder that has asked once does not ask again. Null: nothing waits. */
export function holdBack(
  config: AgentConfig,
  { store, catalog }: { store: Store; catalog: RegionCatalog | null },
  asked: AbortSignal,
): HeldBack | null {
  if (catalog === null || store.archiveBook.formerLines.isKnown) return null;
  const held: HeldBack = { until: Promise.resolve(), isOver: false };
  held.until = regainLines(config, { store, catalog }, asked).finally(() => held.isOver = true);
  return held;
}

async function regainLines(
  config: AgentConfig,
  { store, catalog }: { store: Store; catalog: RegionCatalog },
  asked: AbortSignal,
): Promise<void> {
  const { archiveBook: { former, formerLines: lines } } = store;
  const limitMs = config.archive?.ask_first ?? 0;
  if (limitMs === 0) return lines.finish([], "gave up");
  const signal = AbortSignal.any([asked, AbortSignal.timeout(limitMs)]);
  try {
    const beginnings = new Map<string, Beginnings>();
    for (const stream of config.streams) {
      beginnings.set(stream.name, await beginningsOf(stream, signal));
    }
    const tables = [...beginnings.keys(), REJECTS];
    const wait = async (ms: number) => void await pause(ms, undefined, { signal });
    const parts = { catalog, lines, former, self: config, beginnings, tables, wait };
    const isAnyThere = [...beginnings.values()].some(({ isEmpty }) => !isEmpty);
    lines.finish(isAnyThere ? await regain(parts, signal) : [], "answered");
  } catch (error) {
    if (asked.aborted) return; // nothing was read: the next start asks again
    if (!signal.aborted) throw error;
    // What is known of a file in part would hide from queries that it is read again.
    lines.finish([], "gave up");
    getLogger(["agent", "archive"]).error(
      "The archive did not answer within {limit}: log files are read from their start, and what it " +
        "has of them from an earlier data folder will be there twice",
      { limit: formatDurationMs(limitMs) },
    );
  }
}
