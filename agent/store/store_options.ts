/** What a store is opened with. */
import { ACCESS_SHAPE, uniteShapes } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { Catalog } from "./database/catalog.ts";
import type { StoreLimits } from "./limits.ts";
import type { StoreObserver } from "./observer.ts";
import type { QuotaPolicy } from "./files/quota.ts";
import type { RowWatcher } from "./watcher.ts";

export interface StoreOptions {
  dataDir: string;
  host: string;
  region: string;
  streams: readonly string[];
  /** What their rows are made of at least, by name. @default access logs */
  shapes?: ReadonlyMap<string, StreamShape>;
  /** Those whose rows windows count. @default none */
  windowed?: ReadonlySet<string> | undefined;
  sealAfterMs: number;
  /** @default those of 250 MB */
  limits?: StoreLimits;
  /** @default none */
  quota?: QuotaPolicy | undefined;
  /** Retention and quota leave chunks alone that the archive does not have. @default false */
  keepsUnarchived?: boolean;
  observer?: StoreObserver;
  watcher?: RowWatcher;
  /**
   * For what writes much and ends with that: parts are written as chunks are, so that sealing copies
   * them, and sealed in this process, not in one beside it. @default false
   */
  isBulk?: boolean;
  clock?: () => number;
  /** Ends waits and seal processes. */
  signal: AbortSignal;
}

/** What the streams' rows are made of, as they were stored and as they are configured. */
export function shapesOf(
  { streams, shapes }: StoreOptions,
  catalog: Catalog,
): Map<string, StreamShape> {
  return new Map(streams.map((stream) => {
    const wanted = shapes?.get(stream) ?? ACCESS_SHAPE;
    const known = catalog.shape(stream);
    return [stream, known === null ? wanted : uniteShapes(known, wanted)];
  }));
}
