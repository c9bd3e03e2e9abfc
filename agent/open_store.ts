/** Opens the store as the configuration has it. */
import type { AgentConfig } from "./config.ts";
import { shapeOfStream } from "./geo/geo_shape.ts";
import { storeLimits } from "./store/limits.ts";
import type { StoreObserver } from "./store/observer.ts";
import type { QuotaPolicy } from "./store/files/quota.ts";
import { Store } from "./store/store.ts";
import type { StoreOptions } from "./store/store_options.ts";

/**
 * The store of a configuration; the only writer of its data folder. Without a `quotaPolicy` that of
 * the configuration holds.
 */
export function openStore(
  config: AgentConfig,
  signal: AbortSignal,
  { observer, quotaPolicy, limits = storeLimits(config.limits), ...rest }: {
    observer?: StoreObserver | null;
    quotaPolicy?: QuotaPolicy["whenFull"];
  } & Partial<Pick<StoreOptions, "limits" | "isBulk" | "watcher" | "windowed">> = {},
): Promise<Store> {
  return Store.open({
    dataDir: config.data_dir,
    host: config.host,
    region: config.region,
    streams: config.streams.map((stream) => stream.name),
    shapes: new Map(config.streams.map((stream) => [stream.name, shapeOfStream(stream, config)])),
    sealAfterMs: config.seal_after,
    limits,
    quota: config.quota === undefined
      ? undefined
      : { bytes: config.quota, whenFull: quotaPolicy ?? config.on_quota },
    keepsUnarchived: config.archive?.unarchived === "keep",
    ...(observer === null || observer === undefined ? {} : { observer }),
    ...rest,
    signal,
  });
}
